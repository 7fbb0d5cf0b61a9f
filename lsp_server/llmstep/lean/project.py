"""Which Lean project a file belongs to, and the command that starts a Lean server there."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from llmstep.errors import LeanNotFoundError
from llmstep.lean.packages import MANIFEST, packages_folder
from llmstep.lean.version import TOOLCHAIN

if TYPE_CHECKING:
    from llmstep.settings import CheckSettings, LeanSettings

LAKEFILES = ("lakefile.lean", "lakefile.toml")


REPORT_DELAY_MS = 7
"""When Lean begins to report an edit. A report that begins at once finds the candidate unfinished, and before it waits
for it Lean makes an index of everything above."""


@attrs.frozen
class Project:
    """A folder that a Lean server is started in."""

    root: Path
    lake: bool
    """The folder is a Lake project: its dependencies are found by `lake serve`."""
    passed_over: Path | None = None
    """A nearer folder whose lakefile or toolchain belongs to another user, so that it is not used."""


def find_project(path: Path, trusted: Sequence[Path] = ()) -> Project:
    """The project of a Lean file (or folder): the nearest folder upwards with a lakefile or a `lean-toolchain`.

    A file below a `.lake` folder, or the folder that a manifest names for packages, was fetched or built by the project
    around it and belongs to that one. A file outside any project gets its own folder. The file itself need not exist.

    A lakefile is a program that Lake runs. One that another user (but root) owns counts only in the user's home and in
    folders that the user has opened; else anyone could leave one in `/tmp`.

    Args:
        path: The file or folder.
        trusted: Folders that the user has opened.
    """
    path = path.absolute()
    passed_over = None
    folder = path if path.is_dir() else path.parent
    if ".lake" in folder.parts:
        fetched = Path(*folder.parts[: folder.parts.index(".lake")])
        folder = fetched if _is_root(fetched) else folder
    for candidate in (folder, *folder.parents):
        if _is_root(candidate):
            if _is_own(candidate) or any(candidate.is_relative_to(each) for each in (*trusted, *_home())):
                root = next((each for each in candidate.parents if _has_fetched(each, candidate)), candidate)
                lake = any((root / name).is_file() for name in LAKEFILES)
                return Project(root, lake, passed_over)
            passed_over = passed_over or candidate
    return Project(folder, lake=False, passed_over=passed_over)


def existing(path: Path) -> Path:
    """The path, below the nearest folder that exists: a file may be new, and so may its folder."""
    folder = path.absolute().parent
    while not folder.is_dir():
        folder = folder.parent
    return folder / path.name


def working_folder() -> tuple[Path, ...]:
    """The folder that a command is run in, which the user has chosen, unless everybody can write there."""
    try:
        here = Path.cwd()
        return () if os.name == "posix" and here.stat().st_mode & stat.S_IWOTH else (here,)
    except OSError:
        return ()


def server_command(project: Project, lean: LeanSettings, check: CheckSettings) -> tuple[str, ...]:
    """The argument vector of the Lean server for a project.

    The setting `llmstep.lean.command` replaces `lake serve --` and `lean --server`. Four options are added unless the
    command sets them itself: diagnostics are reported soon, no linter runs but the one that names what is deprecated,
    and `maxHeartbeats` bounds every declaration.

    Raises:
        LeanNotFoundError: There is no such program.
    """
    values = {
        "server.reportDelayMs": REPORT_DELAY_MS,
        "linter.all": "false",
        "linter.deprecated": "true",
        "maxHeartbeats": check.max_heartbeats,
    }
    options = tuple(f"-D{name}={value}" for name, value in values.items())
    if lean.command:
        program, *arguments = lean.command
        found = find_program(program, project.root)
        if found is None:
            _check_mode(program, project.root)
            raise LeanNotFoundError(
                f"The program {program} of the setting llmstep.lean.command was not found.",
                hint="Correct the setting, or clear it to use the Lean of the project.",
            )
        if "serve" in arguments and "--" not in arguments:  # Lake passes on only what stands behind the dashes
            arguments.append("--")
        given = {_option_name(argument) for argument in arguments}
        return (found, *arguments, *(option for option in options if _option_name(option) not in given))
    program = "lake" if project.lake else "lean"
    found = find_program(program)
    if found is None:
        raise LeanNotFoundError(
            f"The program {program} was found neither on the PATH nor in {_elan_bin()}.",
            hint="Install Lean with elan (https://lean-lang.org/install), or set llmstep.lean.command.",
        )
    return (found, *(("serve", "--") if project.lake else ("--server",)), *options)


def find_program(name: str, folder: Path | None = None) -> str | None:
    """Full path of a program: on the PATH, in elan's folder, or (for a relative path) below `folder`."""
    if os.path.dirname(name):
        return shutil.which(os.path.join(folder or Path.cwd(), os.path.expanduser(name)))
    return shutil.which(name) or shutil.which(name, path=str(_elan_bin()))


def _check_mode(name: str, folder: Path) -> None:
    file = Path(folder, os.path.expanduser(name))
    if os.path.dirname(name) and file.is_file():
        raise LeanNotFoundError(
            f"The program {name} of the setting llmstep.lean.command is a file that cannot be executed.",
            hint=f"Run `chmod +x {file}`, or correct the setting.",
        )


def elan_home() -> Path:
    """Where elan keeps toolchains, and its programs."""
    home = os.environ.get("ELAN_HOME")
    return Path(home) if home else Path.home() / ".elan"


def _elan_bin() -> Path:
    """Where elan puts `lean` and `lake`; editors started from a desktop often lack it on their PATH."""
    return elan_home() / "bin"


def _is_root(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (*LAKEFILES, TOOLCHAIN))


def _has_fetched(folder: Path, package: Path) -> bool:
    """Whether a folder holds a project of this user's whose manifest has the package in its folder for packages."""
    if not (folder / MANIFEST).is_file() or not _is_root(folder) or not _is_own(folder):
        return False
    fetched = packages_folder(folder)
    return package.is_relative_to(fetched) and fetched != folder


def _is_own(folder: Path) -> bool:
    """Whether what makes a folder a project belongs to this user, or to root, who can do everything anyway."""
    if not hasattr(os, "getuid"):
        return True  # Windows: others cannot write where the user's files are
    for file in (folder / name for name in (*LAKEFILES, TOOLCHAIN)):
        for look in (os.lstat, os.stat):
            try:
                if look(file).st_uid not in (os.getuid(), 0):
                    return False
            except OSError:
                continue
    return True


def _home() -> tuple[Path, ...]:
    try:
        home = Path.home()
    except RuntimeError:
        return ()
    return (home,) if home != Path(home.anchor) else ()


def _option_name(argument: str) -> str:
    """`maxHeartbeats` of `-DmaxHeartbeats=0`, and of `maxHeartbeats=0` behind a lone `-D`."""
    return argument.removeprefix("-D").partition("=")[0]
