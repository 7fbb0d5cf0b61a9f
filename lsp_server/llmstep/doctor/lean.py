"""Which Lean a file or folder means, whether it runs, and whether the project is ready."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Final

from llmstep.doctor import missing, note, ok
from llmstep.errors import LlmstepError
from llmstep.lean.process import lean_environment
from llmstep.settings import Settings
from llmstep.wire.state import Finding

SECONDS_FOR_LEAN = 15.0
_OF_THE_TOOLCHAIN: Final = frozenset({"Init", "Lean", "Lake", "Std"})
_MAX_SHOWN: Final = 5


def lean(settings: Settings, place: Path) -> Finding:
    """The Lean of the project that `place` is in."""
    from llmstep.lean.project import find_project, pinned_toolchain, server_command, working_folder

    project = find_project(place, working_folder())
    pinned = pinned_toolchain(project.root)
    installed = _is_installed(pinned)
    details: dict[str, Any] = {
        "project": str(project.root), "lake": project.lake, "toolchain": pinned, "installed": installed
    }  # fmt: skip
    where = f"{'Lake project' if project.lake else 'folder without a Lake project'} {project.root}"
    where += f", toolchain {pinned}" if pinned else ""
    try:
        command = server_command(project, settings.lean, settings.check)
    except LlmstepError as error:
        return missing("Lean", f"{error.message[:-1]} ({where})", error.hint, **details)
    details["command"] = list(command)
    if installed is False and not settings.lean.command:
        text = f"{where}, which is not installed; the first start downloads it, some hundred MB"
        return note("Lean", text, f"Run: elan toolchain install {pinned}", **details)
    version, problem = _lean_version(command[0], project.root)
    details["version"] = version
    if version is None:
        advice = f"Run `{command[0]} --version` in {project.root} and correct what it says."
        return missing("Lean", f"{command[0]} {problem} ({where})", advice, **details)
    return ok("Lean", f"{version}; {where}; server: {' '.join(command)}", **details)


def _is_installed(toolchain: str | None) -> bool | None:
    """Whether elan has a toolchain; None where its name or the lack of an elan does not say."""
    from llmstep.lean.project import elan_home, version_of

    folder = elan_home() / "toolchains"
    if toolchain is None or not folder.is_dir() or (version_of(toolchain) is None and "nightly-" not in toolchain):
        return None
    full = toolchain if ":" in toolchain or "/" in toolchain else f"leanprover/lean4:{toolchain}"
    names = {full, toolchain, full.replace(":", ":v", 1)}
    return any((folder / name.replace("/", "--").replace(":", "---")).is_dir() for name in names)


def _lean_version(program: str, folder: Path) -> tuple[str | None, str]:
    """What `--version` prints, or None and why there is nothing."""
    try:
        done = subprocess.run(
            [program, "--version"],
            cwd=folder,
            env=lean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS_FOR_LEAN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"did not say its version within {SECONDS_FOR_LEAN:g} s"
    except OSError as error:
        return None, f"cannot be started: {error.strerror}"
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        return None, f"--version ended with status {done.returncode} and said {said}"
    return lines[0], ""


def project(settings: Settings, place: Path) -> Finding:
    """Whether packages are fetched, the imports of a file built, and the lakefile the user's own. Nothing is run."""
    from llmstep.lean.imports import find_compiled, imports_of, library_folders
    from llmstep.lean.project import find_project, packages_of, working_folder

    found = find_project(place, working_folder())
    root = found.root
    details: dict[str, Any] = {"project": str(root), "lake": found.lake, "buildImports": settings.lean.build_imports}
    if found.passed_over is not None:
        text = f"the lakefile or toolchain file in {found.passed_over} belongs to another user and is not used"
        advice = "Run llmstep in that folder if you trust it, or open it as the editor's folder."
        return note("project", text, advice, **details, passed_over=str(found.passed_over))
    imports = imports_of(place.read_text(encoding="utf-8", errors="replace")) if place.is_file() else []
    others = [name for name in imports if name.partition(".")[0] not in _OF_THE_TOOLCHAIN]
    if not found.lake:
        text = f"{root} has no lakefile"
        if not others:
            return ok("project", text, **details)
        text += f", and the file imports {_some(others)}"
        return note("project", text, "Move the file into the project that has them.", **details)
    packages, folders = packages_of(root), library_folders(root)
    absent = [name for name, folder in packages.items() if not folder.is_dir()]
    unbuilt = [name for name in others if find_compiled(name, folders) is None]
    details |= {"packages": list(packages), "absent": absent, "imports": imports, "unbuilt": unbuilt}
    text = f"{len(packages)} packages in {root}"
    if absent:
        advice = f"Run `lake build` in {root}, with Mathlib `lake exe cache get` first."
        return note("project", f"{text}, not fetched: {_some(absent)}", advice, **details)
    if unbuilt:
        advice = f"Run in {root}: lake build {' '.join(unbuilt)} (with Mathlib `lake exe cache get` first)"
        return note("project", f"{text}; imports that are not built: {_some(unbuilt)}", advice, **details)
    return ok("project", text + (f"; {len(imports)} imports, all built" if imports else ""), **details)


def _some(names: list[str]) -> str:
    more = len(names) - _MAX_SHOWN
    return ", ".join(names[:_MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")
