"""Emacs: eglot with llmstep as its one server, lsp-mode with llmstep beside Lean's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmstep import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.lean, pytest.mark.slow]

PACKAGE = Path(__file__).parents[2] / "editors" / "emacs" / "llmstep.el"

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
    seen, file = play(f"{kind}.el", text, **order)
    assert seen["offered"][:2] == ["llmstep: suggest the next step", "llmstep: complete the proof"]
    own = [each for each in seen["known"] if each.startswith("llmstep:")]
    assert own[:2] == ["llmstep: more suggestions", "llmstep: complete the proof"]
    best = seen["known"][0]
    assert seen["by_menu"] == text.replace("sorry", best.removesuffix(" ✓"))
    # Commands of the package: a step chosen among those with a prefix, the best known one, a whole proof.
    assert seen["asked"] == "Step: "
    assert all(title.startswith("exact") for title in seen["listed"])
    assert seen["by_command"] == TEXT.replace("sorry", seen["listed"][0].removesuffix(" ✓"))
    assert "sorry" not in seen["accepted"]
    assert file.read_text() == seen["text"] != TEXT
    assert complaints(lean, file) == []
    if kind == "lsp-mode":
        assert seen["servers"] == ["lean4-lsp", "llmstep"]
    elif "problem" in seen:  # eglot waits ten seconds; the run goes on
        assert "timed out" in seen["problem"].lower() or "timeout" in seen["problem"].lower()


def test_the_package_compiles_without_a_warning_and_checkdoc_has_none(emacs: str, tmp_path: Path) -> None:
    file = tmp_path / "llmstep.el"
    file.write_text(PACKAGE.read_text(encoding="utf-8"), encoding="utf-8")
    strict = "(setq byte-compile-error-on-warn t)"
    done = subprocess.run(
        [emacs, "--batch", "-Q", "--eval", strict, "-f", "batch-byte-compile", str(file)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    style = f'(progn (require (quote checkdoc)) (checkdoc-file "{file}"))'
    done = subprocess.run([emacs, "--batch", "-Q", "--eval", style], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    # The headers are those that Emacs's package manager reads.
    read = f'(with-temp-buffer (insert-file-contents "{file}") (require (quote package)) (princ (package-buffer-info)))'
    done = subprocess.run([emacs, "--batch", "-Q", "--eval", read], capture_output=True, text=True, timeout=120)
    assert "llmstep" in done.stdout, done.stderr
    assert __version__.replace(".", " ") in done.stdout
