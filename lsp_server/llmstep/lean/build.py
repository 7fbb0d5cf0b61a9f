"""Builds what a file imports, when the user wants that. The lines of `lake build` are its progress."""

from __future__ import annotations

import asyncio
import os
import re
import uuid
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from llmstep.errors import LeanNotFoundError, LeanProjectError
from llmstep.lean import process
from llmstep.lean.imports import imports_of
from llmstep.lean.project import Project, find_program, packages_folder, packages_of
from llmstep.lean.protocol import lines
from llmstep.progress import Progress, ProgressSink
from llmstep.settings import LeanSettings

_MATHLIB: Final = "mathlib"
"""A package whose compiled modules can be fetched; to build them takes hours."""
_DONE_OF: Final = re.compile(r"\[(\d+)/(\d+)\]")
"""How Lake and the cache of Mathlib write how far they are."""


def build_commands(project: Project, text: str, lean: LeanSettings) -> list[tuple[str, ...]]:
    """What builds the imports of a file with this text: Mathlib's cache where nothing of it is there, then the modules.

    Raises LeanProjectError where there is nothing to build.
    """
    if not project.lake:
        raise LeanProjectError(
            f"There is nothing to build: {project.root} is no Lake project.", hint="Open the folder of a project."
        )
    modules = imports_of(text)
    if not modules:
        raise LeanProjectError("There is nothing to build: the file imports nothing.", hint="Import a module first.")
    own = lean.command[: lean.command.index("serve")] if "serve" in lean.command else ("lake",)
    found = find_program(own[0], project.root)
    if found is None:
        raise LeanNotFoundError(
            f"The program {own[0]} was not found.", hint="Install Lean with elan (https://lean-lang.org/install)."
        )
    lake = (found, *own[1:])
    listed = packages_of(project.root)
    mathlib = listed.get(_MATHLIB, packages_folder(project.root) / _MATHLIB)
    wanted = mathlib.is_dir() or _MATHLIB in listed
    fetch = [(*lake, "exe", "cache", "get")] if wanted and not (mathlib / ".lake/build/lib").is_dir() else []
    return [*fetch, (*lake, "build", *modules)]


async def run(command: Sequence[str], root: Path, variables: Sequence[str], progress: ProgressSink) -> None:
    """Runs a command of Lake to its end, each line as progress; when the caller is cancelled, its processes are ended.

    Raises LeanProjectError where it cannot be run, or fails.
    """
    words = " ".join([os.path.basename(command[0]), *command[1:]])
    mark = uuid.uuid4().hex
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, cwd=root, **process.spawn_options(mark, variables)
        )
    except OSError as error:
        raise LeanProjectError(f"`{words}` cannot be run: {error.strerror}.", hint=f"Run it in {root}.") from error
    assert child.stdout is not None
    wrong = last = ""
    try:
        async for line in lines(child.stdout):
            if line.strip():
                last = line.strip()[:200]
                wrong = wrong or (last if last.startswith("error:") else "")
                progress(_progress(last))
        status = await child.wait()
    except BaseException:
        process.end([*process.family(child.pid), *process.marked(mark)])
        raise
    if status:
        said = wrong.removeprefix("error:").strip() or last or "it said nothing"
        raise LeanProjectError(f"`{words}` failed: {said}", hint=f"Run it in {root} to see more.")


def _progress(line: str) -> Progress:
    """A line of Lake or of the cache of Mathlib, with the counts that it may have."""
    found = _DONE_OF.search(line)
    return Progress("goal", line, *(map(int, found.groups()) if found else (0, 0)))
