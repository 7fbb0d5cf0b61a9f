"""The program of the page on the Python package, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "api.md"


@pytest.mark.lean
def test_the_program_of_the_page_works(tmp_path: Path, lean: Path) -> None:
    [program] = re.findall(r"\n```python\n(.*?)\n```\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "First.lean").write_text(
        "theorem first (p q : Prop) (hp : p) : p ∨ q := by\n  sorry\n", encoding="utf-8"
    )
    environment = {**os.environ, "PATH": f"{lean.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("p q : Prop\nhp : p\n⊢ p ∨ q\ncloses ")
    assert re.search(r"^(progress|closes) (left|constructor|simp_all)$", done.stdout, re.MULTILINE)
