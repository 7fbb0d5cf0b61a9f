"""Which files the tools read, and which position in them is meant."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from lsprotocol.types import Position, Range
from pygls.uris import to_fs_path

from llmstep.errors import RequestError
from llmstep.lean.file_text import position_of
from llmstep.lean.text import line_end, masked_text, offset_at, position_at, range_at
from llmstep.lean.trial import GAP
from llmstep.setting_values import shown
from llmstep.wire.tools import Place


class OutsideError(RequestError):
    """A file is in none of the folders that may be read."""


def find(file: str, roots: Sequence[Path]) -> Path:
    """The Lean file that a path means, without links.

    Args:
        file: Absolute, or from one of the roots; or a file's address (`file:///…`).
        roots: Folders in which files may be read. What a link points to must be in them as well.

    Raises:
        OutsideError: It is in none of the roots. It does not say then whether there is such a file.
        RequestError: It is no Lean file, or there is none.
    """
    name = (to_fs_path(file) if file.startswith("file:") else file) or ""
    inside: list[Path] = []
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # a circle of links, or a null character
        folders = [root.resolve() for root in roots]
        real = [(folder / name).resolve() for folder in folders]
        inside = [each for each in real if any(each.is_relative_to(folder) for folder in folders)]
    if not inside:
        raise OutsideError(
            f"The file {shown(file)} is outside of the project.",
            hint="Give a Lean file in " + (" or ".join(map(str, roots)) or "a folder that --root names") + ".",
        )
    found = next((real for real in inside if real.is_file()), inside[0])
    if found.suffix != ".lean":
        raise RequestError(f"The file {shown(file)} is no Lean file.", hint="Give one whose name ends in .lean.")
    if not found.is_file():
        raise RequestError(f"There is no file {shown(file)}.", hint=f"Paths start at {roots[0]}.")
    return found


def where(text: str, wanted: Place, name: str) -> Position | Range:
    """The position that is meant; takes as long as the text is.

    Without a column that is the first `sorry` of the line, else the line from its first character on.

    Raises:
        RequestError: There is no such line.
    """
    first = position_of(text, wanted.line, wanted.column or 1, name)
    if wanted.column is not None:
        return first
    start = offset_at(text, first)
    end = line_end(text, start)
    found = GAP.search(masked_text(text), start, end)
    if found:
        return position_at(text, found.start())
    line = text[start:end]
    return range_at(text, end - len(line.lstrip()), end)
