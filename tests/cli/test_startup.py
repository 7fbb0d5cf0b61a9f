"""The command line starts without what only a model or a server needs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("torch", "transformers", "starlette", "uvicorn", "httpx", "huggingface_hub", "pygls", "tokenizers")

SCRIPT = """
import sys
from llmstep.__main__ import main
sys.argv = ["llmstep", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("heavy:", *[name for name in {heavy!r} if name in sys.modules])
"""


@pytest.mark.parametrize("arguments", [["--help"], ["suggest", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = SCRIPT.format(heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines()[-1] == "heavy:"
    assert done.stderr == ""


def test_an_answer_of_the_starter_needs_neither_the_hub_nor_the_network(tmp_path: Path) -> None:
    goal = tmp_path / "goal.txt"
    goal.write_text("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q", encoding="utf-8")
    heavy = ("torch", "numba", "huggingface_hub", "httpx", "httpx2", "yaml", "jinja2", "starlette", "uvicorn")
    arguments = ["suggest", "--goal-file", str(goal), "--no-check", "--model", "starter", "--seed", "1"]
    script = [sys.executable, "-c", SCRIPT.format(heavy=heavy), *arguments]
    done = subprocess.run(script, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines()[-1] == "heavy:"
    assert "exact ⟨hp, hq⟩" in done.stdout


def test_all_commands_are_there() -> None:
    command = [sys.executable, "-m", "llmstep", "--help"]
    out = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    for name in ("doctor", "lsp", "models", "serve", "suggest"):
        assert f" {name} " in out
