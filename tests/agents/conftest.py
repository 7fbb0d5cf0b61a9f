"""The project that all tests of this folder work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from agents.agent_client import FILE, Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, lean: Path) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    made = Project(root, ("--model", "starter", "--device", "cpu", "--lean", str(lean)))
    made.file.write_text(FILE, encoding="utf-8")
    return made
