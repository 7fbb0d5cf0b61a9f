"""`llmstep models`, as a user runs it: in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from output_schema import checked
from typer.testing import CliRunner

from llmstep.catalog.models import CATALOG
from llmstep.cli import app

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str, cache: Path, **variables: str) -> str:
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "PYTHONUTF8": "1", **variables}
    done = subprocess.run(
        [sys.executable, "-m", "llmstep", "models", *arguments],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def test_the_table_keeps_a_model_on_a_line_when_piped(tmp_path: Path) -> None:
    lines = run(cache=tmp_path, COLUMNS="40").splitlines()
    assert lines[0].split("  ")[0] == "model"
    assert [line.split()[0] for line in lines[1:]] == [record.name for record in CATALOG]
    byt5 = next(line for line in lines if line.startswith("byt5-small"))
    assert " ".join(byt5.split()) == "byt5-small 300 M 1.2 GB mit 22.1 % README of wellecks/llmstep no byt5-state"
    third_party = next(line for line in lines if line.startswith("llmstep-pythia-410m"))
    assert "not stated" in third_party
    assert "…" not in "".join(lines)


def test_the_json_has_everything(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--wellecks--llmstep-mathlib4-pythia2.8b" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    (snapshot / "config.json").write_text("{}")
    (snapshot / "model.safetensors").write_text("x")
    (snapshot / "tokenizer.json").write_text("{}")
    rows = {row["name"]: row for row in checked("models list", run("--json", cache=tmp_path))}
    assert list(rows) == [record.name for record in CATALOG]
    assert rows["llmstep-pythia-2.8b"] == {
        "name": "llmstep-pythia-2.8b",
        "id": "wellecks/llmstep-mathlib4-pythia2.8b",
        "parameters": 2_800_000_000,
        "size_bytes": 5_600_000_000,
        "licence": "mit",
        "reported_minif2f_test": "27.9 % (68 of 244)",
        "source": "README of wellecks/llmstep",
        "cached": True,
        "template": "pythia",
        "trust_remote_code": False,
        "added": False,
        "stops": [],
        "summary": "The model of the first llmstep",
    }
    assert rows["byt5-small"]["cached"] is False
    assert rows["llmstep-pythia-410m"]["licence"] is None
    assert rows["starter"]["id"] is None


def test_torch_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from llmstep.cli import app\n"
        "app(['models'], standalone_mode=False)\n"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HUB_CACHE": str(tmp_path), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_on_a_terminal_nothing_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    lines = re.sub("\x1b\\[[0-9;]*m", "", CliRunner().invoke(app, ["models"]).output).splitlines()
    assert max(map(len, lines)) <= columns
    text = " ".join(" ".join(lines).split())
    assert "…" not in text
    assert all(record.name in text for record in CATALOG)
    assert "70.83 ± 0.89 %" in text
