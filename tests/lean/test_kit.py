"""The Lean of the tests as a command."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.lean


def test_it_prints_also_where_python_buffers(lean: Path, tmp_path: Path) -> None:
    file = tmp_path / "A.lean"
    file.write_text("theorem a : 1 = 2 := by decide\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([str(lean), str(file)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{file}:1:24: error: Tactic `decide` proved that the proposition\n  1 = 2\nis false")
