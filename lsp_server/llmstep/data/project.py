"""Pairs from the Lean files of a project: the goals that the running Lean server gives at every tactic step."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from lsprotocol.types import Position

from llmstep.data.pair import Found, Pair
from llmstep.errors import LeanError, RequestError
from llmstep.lean.blocks import Block, Item, outward
from llmstep.lean.client import Params
from llmstep.lean.commands import PROVING, find_commands
from llmstep.lean.declaration import Declaration, find_declaration
from llmstep.lean.layout import Layout
from llmstep.lean.server import LeanServer
from llmstep.lean.step_words import CASES
from llmstep.lean.text import mask, offset_at, position_at

_FOREIGN: Final = frozenset({"build", "lake-packages"})
"""Folders with what was built or fetched; those whose name begins with a dot are others."""
_NO_STEPS: Final = frozenset({"·", ".", "{", "("}) | CASES
"""What opens a block of steps and is no step itself; at `case` and `next`, Lean gives the goal inside of them."""
_ERROR = 1


def lean_files(source: Path) -> list[Path]:
    """The Lean files of a project, in a fixed order; a single file stands for itself.

    Raises:
        RequestError: There are none.
    """
    if source.is_file():
        return [source]
    found = []
    for folder, below, names in os.walk(source):
        below[:] = sorted(name for name in below if not name.startswith(".") and name not in _FOREIGN)
        found += [source.__class__(folder, name) for name in sorted(names) if name.endswith(".lean")]
    files = [file for file in found if file.name != "lakefile.lean"]
    if not files:
        raise RequestError(f"There are no Lean files in {source}.", hint="Give the folder of a Lean project.")
    return files


async def project_pairs(
    server: LeanServer, files: list[Path], max_length: int, seconds: float, on_file: Callable[[Path, int], None]
) -> Found:
    """The pairs of all files, one file after the other.

    What Lean refuses, or lets pass with `sorry`, gives no pairs. A file that Lean does not finish is left out.

    Args:
        max_length: Most characters of a tactic. The steps inside a longer one count on their own.
        seconds: Longest time for a file.
        on_file: Called with every file that is done and the number of its pairs.

    Raises:
        LeanError: The server cannot be started.
    """
    found = Found()
    await server.start()
    for file in files:
        try:
            text = (await asyncio.to_thread(file.read_bytes)).decode("utf-8").replace("\r\n", "\n")
            pairs = await _file_pairs(server, as_uri(file), text, max_length, seconds)
        except (LeanError, UnicodeDecodeError):
            pairs = Found()
            pairs.left_out["files that Lean cannot read"] += 1
        found.extend(pairs)
        on_file(file, len(pairs.pairs))
    return found


def as_uri(file: Path) -> str:
    """The name under which Lean knows a file."""
    return file.absolute().as_uri()


async def _file_pairs(server: LeanServer, uri: str, text: str, max_length: int, seconds: float) -> Found:
    version = await server.change(uri, text)
    try:
        diagnostics = await server.wait(uri, version, seconds)
        found = Found()
        bad = [offset for offset in (_refused_at(text, each) for each in diagnostics) if offset is not None]
        for declaration, items in _steps(text):
            if any(declaration.start <= offset < declaration.end for offset in bad):
                found.left_out["steps of theorems with an error or sorry"] += len(items)
                continue
            places = [position_at(text, item.start) for item in items]
            told = await asyncio.gather(*(server.plain_goal(uri, place, seconds) for place in places))
            goals = ["\n\n".join(each or ()) for each in told]
            name = declaration.name or f"example {goals[0] if goals else ''}"
            for item, goal in zip(items, goals, strict=True):
                found.add(Pair(goal, step_text(text, item), name, file=text, at=item.start), max_length)
        return found
    finally:
        await server.close(uri)


def _refused_at(text: str, diagnostic: Params) -> int | None:
    """Where Lean found an error or `sorry`; None for other messages."""
    if diagnostic.get("severity") != _ERROR and "declaration uses" not in diagnostic["message"]:
        return None
    start = diagnostic["range"]["start"]
    return offset_at(text, Position(start["line"], start["character"]))


def _steps(text: str) -> Iterator[tuple[Declaration, list[Item]]]:
    """The declarations with steps, and the steps in the order of the text."""
    masked = mask(text)
    for command in find_commands(masked):
        declaration = find_declaration(masked, command.end) if command.keyword in PROVING else None
        if declaration is None:
            continue
        layout = Layout(masked, declaration)
        blocks = [block for block in layout.blocks if _runs_once(block)]
        items = [item for block in blocks for item in block.items if item.head not in _NO_STEPS]
        if items:
            yield declaration, sorted(items, key=lambda item: item.start)


def _runs_once(block: Block) -> bool:
    """Whether each step of a block runs on the goals that Lean gives at it.

    Those behind `try`, `all_goals`, `<;>` and the like run on other goals, several times or in vain.
    """
    blocks = [frame for frame in outward(block) if isinstance(frame, Block)]
    return all(each.kind != "combinator" or each.opener.text == "focus" for each in blocks)


def step_text(text: str, item: Item) -> str:
    """A step as it would be written at column 0."""
    first, *others = text[item.start : item.end].split("\n")
    column = item.first.column
    return "\n".join([first, *(line[min(column, len(line) - len(line.lstrip())) :] for line in others)]).rstrip()
