"""Emacs: eglot with llmstep as its one server, lsp-mode with llmstep beside Lean's."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.slow]

TEXT = """-- 𝔸 first
theorem t (p q : Prop) (hp : p) : p ∨ q := by
  /- 𝔸𝔸 -/ sorry

theorem u : True := trivial
"""


def complaints(lean: Path, file: Path) -> list[str]:
    """What Lean says about a file on disk."""
    done = subprocess.run([str(lean), "--json", str(file)], capture_output=True, text=True, timeout=120)
    return [json.loads(line)["data"] for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    ("kind", "order"),
    [("eglot", {}), ("lsp-mode", {}), ("lsp-mode", {"LEAN4_MODE_FIRST": "1"})],
    ids=["eglot", "lsp-mode", "lsp-mode behind lean4-mode"],
)
def test_a_step_is_found_chosen_and_accepted_by_lean(
    kind: str, order: dict[str, str], play: Callable[..., tuple[dict[str, Any], Path]], lean: Path
) -> None:
    # lsp-mode 8.0.0 takes UTF-16 units for characters, so that its edits miss their place behind a 𝔸.
    text = TEXT if kind == "eglot" else TEXT.replace("/- 𝔸𝔸 -/ ", "")
    seen, file = play(f"{kind}.el", kind, text, **order)
    assert seen["offered"] == ["llmstep: suggest the next step", "llmstep: complete the proof"]
    assert seen["known"][-2:] == ["llmstep: more suggestions", "llmstep: complete the proof"]
    best = seen["known"][0]
    assert seen["text"] == text.replace("sorry", best.removesuffix(" ✓"))
    assert file.read_text() == seen["text"]
    assert complaints(lean, file) == []
    if kind == "lsp-mode":
        assert seen["servers"] == ["lean4-lsp", "llmstep"]
    elif "problem" in seen:  # eglot waits ten seconds; the run goes on
        assert "timed out" in seen["problem"].lower() or "timeout" in seen["problem"].lower()
