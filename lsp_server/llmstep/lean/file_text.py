"""Texts of Lean files on the disk, and positions in them as people count."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from lsprotocol.types import Position

from llmstep.errors import RequestError

_MAX_BYTES = 64 << 20


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
    content = source.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        maximum = _MAX_BYTES >> 20
        raise RequestError(f"{name} has more than {maximum} MB.", hint="Give a file that is not as long.")
    return content


def decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"{name} is not UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from None
