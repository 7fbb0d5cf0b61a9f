"""The cost of checks: a file of the right length, and a table from the real Lean."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from command_line import run

from benchmarks import checks
from benchmarks.__main__ import app
from benchmarks.checks import measured_text

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_text_has_its_theorems_above_the_place() -> None:
    text, point = measured_text(3, 2)
    assert re.findall(r"^theorem (\w+)", text, re.MULTILINE) == ["above0", "above1", "above2", "measured"]
    assert text[point.start : point.end] == "sorry"
    assert point.edit(text, "exact h1").new_text == "exact h1"
    assert "(h0 h1 : p)" in text


def test_table_of_the_real_lean(lean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PAUSE_SECONDS", 0.0)  # for true figures, which are not asked for here
    arguments = ["--lean", lean, "--candidates", 3, "--above", 0, "--above", 2, "--json"]
    rows = json.loads(run("checks", *arguments, program=app))
    assert [(row["theorems_above"], row["candidates"]) for row in rows] == [(0, 3), (2, 3)]
    assert all(row[name] > 0 for name in ("check_ms", "bare_ms", "waited_ms", "ratio", "open_ms") for row in rows)
