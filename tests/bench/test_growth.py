"""Requests of growing size: which are asked, and the picture of what they took."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from command_line import run

from benchmarks.__main__ import app
from benchmarks.picture import charts

if TYPE_CHECKING:
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"


def test_the_starter(tmp_path: Path) -> None:
    """It has 2048 positions, so that a prompt of 5000 tokens becomes one that leaves room for the answer."""
    picture = tmp_path / "growth.svg"
    sizes = ["--samples", "1", "--samples", "3", "--prompts", "8", "--prompts", "5000"]
    rest = ["--rounds", 1, "--new-tokens", 2, "--picture", picture, "--json"]
    found = json.loads(run("growth", "--model", "starter", *sizes, *rest, program=app))
    assert (found["model"], found["new_tokens"], found["rounds"], found["random_weights"]) == ("starter", 2, 1, False)
    assert [(cost["samples"], cost["prompt_tokens"]) for cost in found["by_samples"]] == [(1, 200), (3, 200)]
    assert [(cost["samples"], cost["prompt_tokens"]) for cost in found["by_prompt"]] == [(10, 8), (10, 2046)]
    short, long = (cost["cpu_seconds"] for cost in found["by_prompt"])
    assert 0 < short < long
    assert picture.read_text(encoding="utf-8").count("<circle") == 4


def test_a_chart_has_its_points_to_scale() -> None:
    root = ElementTree.fromstring(charts([("a < b", "samples", [(1, 0.5), (2, 1.0)]), ("c", "tokens", [(4, 2.0)])]))
    assert root.get("viewBox") == "0 0 720 240"
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert texts == ["a < b", "0", "2 samples", "1 s", "c", "0", "4 tokens", "2 s"]
    dots = [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in root.iter(f"{SVG}circle")]
    (x1, y1), (x2, y2), (x3, y3) = dots
    left, base = 56, 200
    assert x2 - left == 2 * (x1 - left)
    assert base - y2 == 2 * (base - y1)
    assert (x3 - 360, y3) == (x2, y2)  # the last points of both are at the corner of their chart
