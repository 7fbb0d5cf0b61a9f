"""The Lean project of a file: its folder, toolchain and packages, and the command that starts a Lean server there."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from llmstep.errors import LeanNotFoundError
from llmstep.settings import CheckSettings, LeanSettings

LAKEFILES: Final = ("lakefile.lean", "lakefile.toml")
TOOLCHAIN: Final = "lean-toolchain"
_MANIFEST: Final = "lake-manifest.json"
_FOLDER: Final = Path(".lake", "packages")

Version = tuple[int, int]

_RELEASE: Final = re.compile(r"(?:\A|[:/])v?(\d+)\.(\d+)(?:\.|-|\Z)")
_NIGHTLY: Final = re.compile(r"nightly-(\d{4}-\d{2}-\d{2})")
_BY_STATEMENT: Final[Version] = (4, 12)
_BY_STATEMENT_NIGHTLY: Final = "2024-09-01"

REPORT_DELAY_MS: Final = 7
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
    folder = path if os.path.isdir(path) else path.parent
    if ".lake" in folder.parts:
        fetched = Path(*folder.parts[: folder.parts.index(".lake")])
        folder = fetched if _is_root(fetched) else folder
    for candidate in (folder, *folder.parents):
        if _is_root(candidate):
            if _is_own(candidate) or any(candidate.is_relative_to(each) for each in (*trusted, *_home())):
                root = next((each for each in candidate.parents if _has_fetched(each, candidate)), candidate)
                lake = any(os.path.isfile(root / name) for name in LAKEFILES)
                return Project(root, lake, passed_over)
            passed_over = passed_over or candidate
    return Project(folder, lake=False, passed_over=passed_over)


def existing(path: Path) -> Path:
    """The path, below the nearest folder that exists: a file may be new, and so may its folder."""
    folder = path.absolute().parent
    while not os.path.isdir(folder):
        folder = folder.parent
    return folder / path.name


def working_folder() -> tuple[Path, ...]:
    """The folder that a command is run in, which the user has chosen, unless everybody can write there."""
    try:
        here = Path.cwd()
        return () if os.name == "posix" and here.stat().st_mode & stat.S_IWOTH else (here,)
    except OSError:
        return ()


def pinned_toolchain(root: Path) -> str | None:
    """The toolchain that the nearest file upwards names, as elan looks for it; None where there is none."""
    for folder in (root, *root.parents):
        try:
            written = (folder / TOOLCHAIN).read_text(encoding="utf-8-sig", errors="replace").strip()
        except OSError:
            continue
        return written.partition("\n")[0].strip()[:200] or None
    return None


def version_of(toolchain: str | None) -> Version | None:
    """`(4, 27)` of `leanprover/lean4:v4.27.0`; None where the name does not say."""
    match = _RELEASE.search(toolchain or "")
    return (int(match[1]), int(match[2])) if match else None


def takes_variables_by_proof(root: Path) -> bool:
    """Whether a `variable` of a section may enter a theorem because only its proof names it, as before Lean 4.12.

    Where the version is not known, it may.
    """
    toolchain = os.environ.get("ELAN_TOOLCHAIN") or pinned_toolchain(root)
    nightly = _NIGHTLY.search(toolchain or "")
    if nightly:
        return nightly[1] < _BY_STATEMENT_NIGHTLY
    version = version_of(toolchain)
    return version is None or version < _BY_STATEMENT


def packages_of(root: Path) -> dict[str, Path]:
    """The packages of the manifest with their folders; those that a path names are where it says."""
    listed = _manifest(root).get("packages")
    folder = packages_folder(root)
    packages = {}
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict):
            name = str(each.get("name", "")).strip("«»")
            own = each.get("dir") if each.get("type") == "path" else None
            packages[name] = root / str(own) if own else folder / name
    return packages


def packages_folder(root: Path) -> Path:
    """Where Lake puts the packages of a project."""
    named = _manifest(root).get("packagesDir")
    if isinstance(named, str) and named and "\0" not in named:
        return Path(os.path.normpath(root / named))
    return root / _FOLDER


def _manifest(root: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((root / _MANIFEST).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


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
    return any(os.path.isfile(folder / name) for name in (*LAKEFILES, TOOLCHAIN))


def _has_fetched(folder: Path, package: Path) -> bool:
    """Whether a folder holds a project of this user's whose manifest has the package in its folder for packages."""
    if not os.path.isfile(folder / _MANIFEST) or not _is_root(folder) or not _is_own(folder):
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
