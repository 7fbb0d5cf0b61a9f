"""How often the goal at a cursor is the one that Lean shows there: the table of kinds, over files without errors.

    python tests/cursor_kinds.py LEAN [FILE.lean …]     # prints the table, and what differs

Cursors are found by the text of lines alone, so that nothing of what is measured decides what is measured. Those at
which Lean shows no goal do not count.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from llmstep.errors import NoGoalError
from llmstep.lean.checker import FileChecker
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.lean.server import LeanServer
from llmstep.lean.text import position_at
from llmstep.settings import CheckSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROOFS = Path(__file__).parent / "lean" / "cases" / "proofs"
KINDS = (
    *("end of `by`", "on a bullet", "first column of a step", "end of a step", "end of `=>`", "behind `·`"),
    *("end of `with`", "at `|`", "comment line", "behind `{`", "at `}`", "`case x =>`", "`next h =>`", "inside conv"),
)
_STEP = re.compile(
    r"(?:exact|intro|apply|constructor|have|obtain|rcases|cases|induction|rw|show|left|right|refine|calc|match|suffices"
    r"|conv|exfalso|rfl|trivial|subst|by_cases|specialize|revert|symm|assumption|all_goals|any_goals|first|try|focus|if"
    r"|simp|exists|case|next)\b"
)
_OPEN_END = re.compile(r"(?:\b(?:by|with|then|else|calc|first|exact|any_goals|focus|try|fun)|=>|:=|[:,⟨(<])$")


@attrs.frozen
class Cursor:
    kind: str
    offset: int


@attrs.frozen
class Seen:
    """A cursor at which Lean shows a goal, and the goal that llmstep finds."""

    file: str
    kind: str
    line: int
    text: str
    lean: str
    ours: str

    @property
    def same(self) -> bool:
        return self.lean == self.ours


def cursors(text: str) -> Iterator[Cursor]:
    """Cursors of every kind, line by line."""
    start = 0
    lines = text.split("\n")
    conv = -1  # column of the conv block that goes on
    for number, line in enumerate(lines):
        bare = line.strip()
        column = len(line) - len(line.lstrip())
        first, end = start + column, start + len(line.rstrip())
        below = next((each for each in lines[number + 1 :] if each.strip()), "")
        deeper = len(below) - len(below.lstrip()) > column
        if bare and column <= conv:
            conv = -1
        if bare.endswith(" by") or bare == "by":
            yield Cursor("end of `by`", end)
        if bare.endswith(" with"):
            yield Cursor("end of `with`", end)
        if bare.startswith("--") and column:
            yield Cursor("comment line", first)
            yield Cursor("inside conv" if conv >= 0 else "comment line", start + column + 1)
        for mark in ("· ", ". "):
            if bare.startswith(mark):
                yield Cursor("on a bullet", first)
                yield Cursor("behind `·`", first + 1)
                column, first, bare = column + 2, first + 2, bare[2:]
        if "=>" in bare and bare.startswith("|"):
            yield Cursor("at `|`", first)
            yield Cursor("end of `=>`", start + line.index("=>") + 2)
        if bare.startswith("{"):
            yield Cursor("behind `{`", first + 1)
        if bare.endswith("}"):
            yield Cursor("at `}`", end - 1)
        for word in ("case", "next"):
            if bare.startswith(word + " ") and "=>" in bare:
                kind = "`case x =>`" if word == "case" else "`next h =>`"
                yield Cursor(kind, first)
                yield Cursor(kind, first + len(word))
                yield Cursor(kind, start + line.index("=>") + 2)
        if conv >= 0 and bare:
            yield Cursor("inside conv", first)
            yield Cursor("inside conv", end)
        elif _STEP.match(bare):
            yield Cursor("first column of a step", first)
            if not deeper and not _OPEN_END.search(bare):
                yield Cursor("end of a step", end)
        if re.match(r"conv\b.*=>", bare):
            yield Cursor("inside conv", start + line.index("=>") + 2)
            conv = column
        start += len(line) + 1


def everywhere(text: str) -> Iterator[Cursor]:
    """A cursor at both ends of each word, sign and line."""
    parts = (re.compile(r"[\w.']+|[^\w\s]"), re.compile(r"^.*$", re.MULTILINE))
    places = {offset for part in parts for found in part.finditer(text) for offset in found.span()}
    return (Cursor("anywhere", offset) for offset in sorted(places))


async def measure(
    server: LeanServer, name: str, text: str, find: Callable[[str], Iterator[Cursor]] = cursors
) -> list[Seen]:
    """What is seen at the cursors of a text without errors."""
    uri = (server.root / name).as_uri()
    found: list[tuple[Cursor, list[str]]] = []
    await server.wait(uri, await server.change(uri, text))
    for cursor in find(text):
        if goals := await server.plain_goal(uri, position_at(text, cursor.offset)):
            found.append((cursor, goals))
    checker = FileChecker(server, (server.root / f"Shadow{name}").as_uri(), CheckSettings(), 120)
    seen = []
    for cursor, goals in found:
        line = text.count("\n", 0, cursor.offset)
        row, column = text.split("\n")[line], cursor.offset - (text.rfind("\n", 0, cursor.offset) + 1)
        ours = await _ours(checker, text, cursor.offset)
        shown = f"{row[:column]}‸{row[column:]}"
        seen.append(Seen(name, cursor.kind, line + 1, shown, _plain(goals[0]), _plain(ours)))
    await checker.close()
    await server.close(uri)
    return seen


async def _ours(checker: FileChecker, text: str, offset: int) -> str:
    """The goal that a suggestion would be for; empty where there is none."""
    points = find_insertion_points(text, position_at(text, offset))
    for point in (each for each in points if not each.mends):
        try:
            return (await checker.baseline(text, point)).goals[0]
        except NoGoalError:
            continue
    return ""


def _plain(goal: str) -> str:
    return re.sub(r"\?[mu]\.\d+", "?", goal)


def table(seen: list[Seen]) -> str:
    """A line for each kind: how many cursors have the same goal, of how many."""
    rows = ["| cursor | same goal |", "| --- | --- |"]
    for kind in KINDS:
        tried = [each for each in seen if each.kind == kind]
        cell = kind.replace("|", "\\|")
        rows.append(f"| {cell} | {sum(each.same for each in tried)} of {len(tried)} |")
    return "\n".join([*rows, f"| all | {sum(each.same for each in seen)} of {len(seen)} |"])


async def main(lean: str, files: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = LeanServer((lean, "--server"), Path(folder), timeout=120)
        seen = [each for name, text in files.items() for each in await measure(server, name, text)]
        await server.stop()
    for each in seen:
        if not each.same:
            print(f"{each.file}:{each.line}: {each.kind}: {each.text}\n  Lean: {each.lean!r}\n  here: {each.ours!r}")
    print(table(seen))


def read(paths: list[Path]) -> dict[str, str]:
    """The texts by the names of their files."""
    return {path.name: path.read_text(encoding="utf-8") for path in paths or sorted(PROOFS.glob("*.lean"))}


if __name__ == "__main__":
    asyncio.run(main(str(Path(sys.argv[1]).absolute()), read([Path(each) for each in sys.argv[2:]])))
