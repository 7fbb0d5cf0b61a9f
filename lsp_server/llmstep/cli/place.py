"""Places of Lean files, as the command line names them, and the texts there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO, Annotated

import typer
from lsprotocol.types import Position

from llmstep.errors import RequestError

_MOST_BYTES = 64 << 20
_WITH_PLACE = re.compile(r"(.+?):(\d{1,9})(?::(\d{1,9}))?:?")

FileArgument = typer.Argument(
    help="A Lean file; FILE:12:3 is its line 12, column 3.", metavar="FILE[:LINE[:COLUMN]]", show_default=False
)
LineOption = Annotated[int | None, typer.Option("--line", "-l", help="Line of the goal, from 1.")]
ColumnOption = Annotated[
    int | None,
    typer.Option(
        "--column",
        "-c",
        help="Column, from 1, as VS Code counts: in UTF-16 units, so that 𝔸 is two; past the end means the end;"
        " default 1.",
    ),
]


def place_of(file: Path, line: int | None, column: int | None) -> tuple[Path, int, int]:
    """The file, line and column that a command is given, as `FILE:12:3` or apart; the column may be left out.

    Raises:
        RequestError: There is no line, or it is given twice.
    """
    found = None if file.exists() else _WITH_PLACE.fullmatch(str(file))
    if found:
        if line is not None or (column is not None and found[3]):
            raise RequestError(f"The place is given twice: by {file} and by --line or --column.", hint="Give it once.")
        file, line, column = Path(found[1]), int(found[2]), int(found[3]) if found[3] else column
    if line is None:
        raise RequestError(
            f"Which line of {file} is meant was not given.", hint=f"Write {file}:12:3, or --line 12 --column 3."
        )
    return file, line, 1 if column is None else column


def position_of(text: str, line: int, column: int, name: str) -> Position:
    """The position of an editor's line and column; a column past the end of the line is its end.

    Raises:
        RequestError: There is no such line, or a number is below 1.
    """
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        raise RequestError(f"There is no line {line} in {name}.", hint=f"Its lines are 1 to {len(lines)}.")
    if column < 1:
        raise RequestError(
            f"There is no column {column}.",
            hint="Columns are counted from 1, as editors show them; Lean's messages count from 0.",
        )
    units = len(lines[line - 1].removesuffix("\r").encode("utf-16-le")) // 2
    return Position(line - 1, min(column - 1, units))


def read_text(file: Path) -> str:
    """The text of a file.

    Raises:
        RequestError: It cannot be read, is too long, or is no text.
    """
    try:
        with file.open("rb") as source:
            content = bounded(source, f"The file {file}")
    except OSError as error:
        if file.is_symlink() and not file.exists():
            raise RequestError(
                f"The file {file} is a link to {os.readlink(file)}, which is not there.", hint="Give another file."
            ) from None
        raise RequestError(f"The file {file} cannot be read: {error.strerror}.", hint="Give another file.") from None
    return decode(content, str(file))


def bounded(source: IO[bytes], name: str) -> bytes:
    content = source.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        most = _MOST_BYTES >> 20
        raise RequestError(f"{name} has more than {most} MB.", hint="Give a file that is not as long.")
    return content


def decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"{name} is not UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from None
