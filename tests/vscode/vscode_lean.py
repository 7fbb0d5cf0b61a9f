"""Proofs for the tests, and a Lean of the tests' own, of which neither the workbench nor the companion knows."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pathlib import Path

OR = """-- 𝔸 first
theorem t (p q : Prop) (hp : p) : p ∨ q := by
  /- 𝔸𝔸 -/ sorry

theorem u : True := trivial
"""
"""The bundled model closes this goal; each 𝔸 is two units in UTF-16, so that positions are not what they seem."""

WEAKEN = """theorem weaken (p q : Prop) (hp : p) : p ∨ q := by
  sorry
"""
"""The same goal in a file as one would have it, for the pictures."""


@attrs.frozen
class Judge:
    """What Lean says about a file on disk: errors and warnings."""

    lean: Path

    def __call__(self, file: Path) -> list[str]:
        done = subprocess.run([str(self.lean), "--json", str(file)], capture_output=True, text=True, timeout=120)
        return [json.loads(line)["data"] for line in done.stdout.splitlines() if line.startswith("{")]
