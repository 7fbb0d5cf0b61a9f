"""Which Lean a file or folder means, and whether it runs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from llmstep.errors import LlmstepError
from llmstep.lean.process import lean_environment
from llmstep.settings import Settings
from llmstep.wire.state import Finding

SECONDS_FOR_LEAN = 15.0


def lean(settings: Settings, place: Path) -> Finding:
    """The Lean of the project that `place` is in."""
    from llmstep.lean.project import find_project, pinned_toolchain, server_command, working_folder

    project = find_project(place, working_folder())
    pinned = pinned_toolchain(project.root)
    kind = "Lake project" if project.lake else "folder without a Lake project"
    installed = is_installed(pinned)
    details: dict[str, Any] = {
        "project": str(project.root), "lake": project.lake, "toolchain": pinned, "installed": installed
    }  # fmt: skip
    where = f"{kind} {project.root}" + (f", toolchain {pinned}" if pinned else "")
    try:
        command = server_command(project, settings.lean, settings.check)
    except LlmstepError as error:
        return Finding("Lean", "missing", f"{error.message[:-1]} ({where})", error.hint, details)
    details["command"] = list(command)
    if installed is False and not settings.lean.command:
        advice = f"Run: elan toolchain install {pinned}"
        text = f"{where}, which is not installed; the first start downloads it, some hundred MB"
        return Finding("Lean", "note", text, advice, details)
    version, problem = _lean_version(command[0], project.root)
    details["version"] = version
    if version is None:
        advice = f"Run `{command[0]} --version` in {project.root} and correct what it says."
        return Finding("Lean", "missing", f"{command[0]} {problem} ({where})", advice, details)
    return Finding("Lean", "ok", f"{version}; {where}; server: {' '.join(command)}", "", details)


def is_installed(toolchain: str | None) -> bool | None:
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
