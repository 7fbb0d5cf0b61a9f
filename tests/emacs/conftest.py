"""A real Emacs without a screen, with `editors/emacs/llmstep.el` and the block of docs/editors/emacs.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "editors" / "emacs.md"
PACKAGE = ROOT / "editors" / "emacs" / "llmstep.el"
PACKAGES = Path("/usr/share/emacs/site-lisp/elpa-src")
SECONDS = 280


@pytest.fixture(scope="session")
def emacs() -> str:
    """The program, with eglot and lsp-mode from Debian's packages."""
    found = shutil.which("emacs")
    if found is None or not list(PACKAGES.glob("lsp-mode-*")) or not list(PACKAGES.glob("eglot-*")):
        message = "Emacs is missing: apt-get install emacs-nox elpa-eglot elpa-lsp-mode"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return str(found)


@pytest.fixture
def play(emacs: str, lean: Path, tmp_path: Path) -> Callable[..., tuple[dict[str, Any], Path]]:
    """Runs a script of this folder on a text, after the block of the page; what it recorded, and the file."""

    def run(script: str, text: str, **more: str) -> tuple[dict[str, Any], Path]:
        [block] = re.findall(r"\n```elisp\n(.*?)\n```\n", PAGE.read_text(), re.DOTALL)
        folder = tmp_path / "project"
        folder.mkdir()
        (tmp_path / "home").mkdir()
        (folder / ".git").mkdir()
        file, record, page = folder / "Main.lean", tmp_path / "record.json", tmp_path / "page.el"
        file.write_text(text)
        page.write_text(block)
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(lean.parent), os.environ["PATH"]]),
            "HOME": str(tmp_path / "home"),
            "HF_HOME": str(tmp_path / "home" / "hf"),
            "LLMSTEP_MODEL": "starter",
            "LLMSTEP_DEVICE": "cpu",
            "LLMSTEP_PORT": "0",
            "LANG": "C.UTF-8",
            "FILE": str(file),
            "RECORD": str(record),
            "LEAN": str(lean),
            "BLOCK": str(page),
            **more,
        }
        load = ["-l", str(HERE / "steps.el"), "-l", str(HERE / script)]
        done = subprocess.run(
            [emacs, "--batch", "-L", str(PACKAGE.parent), "-l", "package", "--eval", "(package-initialize)", *load],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{script} failed in Emacs:\n{done.stdout}\n{done.stderr}"
        recorded: dict[str, Any] = json.loads(record.read_text())
        return recorded, file

    return run
