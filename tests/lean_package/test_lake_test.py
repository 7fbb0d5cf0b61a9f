"""The files of `lake test`, whose messages are guarded in them, on the kit."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["Check", "Tactic", "InAModule"])
def test_the_guarded_messages(
    lean: Path, package: Path, sources: Path, strip: Any, package_environment: Any, tmp_path: Path, name: str
) -> None:
    text = strip((sources / "LLMstepTest" / f"{name}.lean").read_text("utf-8"))
    file = tmp_path / f"{name}.lean"
    file.write_text(text, "utf-8")
    command = [str(lean), "-Dlinter.unusedVariables=false", str(file)]
    done = subprocess.run(command, cwd=sources.parent, env=package_environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_all_files_are_imported(sources: Path) -> None:
    root = (sources / "LLMstepTest.lean").read_text("utf-8")
    assert {f"import LLMstepTest.{f.stem}" in root for f in (sources / "LLMstepTest").glob("*.lean")} == {True}
