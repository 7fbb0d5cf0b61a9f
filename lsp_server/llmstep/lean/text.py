"""Offsets, UTF-16 positions and edits of Lean text.

Offsets count Python characters (code points); positions count UTF-16 code units in a line, as on the wire. Lines end
with `\\n` or `\\r\\n`, as Lean counts them: a lone `\\r` and the other line separators of Unicode end no line.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from typing import Final

from lsprotocol.types import Position, Range, TextEdit

from llmstep.lean.masking import mask as mask

_BREAK: Final = re.compile("\n")


@functools.lru_cache(maxsize=8)
def masked_text(text: str) -> str:
    """`mask` of a whole file, kept for the last texts: one piece of work asks for it at many places."""
    return mask(text)


def digest(text: str) -> str:
    """A short name of a text, which may be as long as a file."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def unmarked(text: str) -> str:
    """The text with a blank for a byte order mark, which Lean does not read."""
    return " " + text[1:] if text.startswith("\ufeff") else text


def column_at(text: str, offset: int) -> int:
    """Number of characters in front of an offset on its line; a byte order mark is no text."""
    start = line_start(text, offset)
    return offset - start - (start == 0 and text.startswith("\ufeff"))


def line_start(text: str, offset: int) -> int:
    """Offset of the first character of the line that holds `offset`."""
    return text.rfind("\n", 0, offset) + 1


def line_end(text: str, offset: int) -> int:
    """Offset behind the last character of the line that holds `offset`, its line break not counted."""
    end = text.find("\n", offset)
    if end < 0:
        return len(text)
    return end - 1 if end > offset and text[end - 1] == "\r" else end


def offset_at(text: str, position: Position) -> int:
    """Offset of a position; one behind the end of its line or of the text is taken as that end."""
    starts = _line_starts(text)
    if position.line >= len(starts):
        return len(text)
    start = starts[position.line]
    line = text[start : line_end(text, start)]
    if line.isascii():
        return start + min(position.character, len(line))
    units = 0
    for index, character in enumerate(line):
        units += 2 if ord(character) > 0xFFFF else 1
        if units > position.character:
            return start + index
    return start + len(line)


@functools.lru_cache(maxsize=8)
def _line_starts(text: str) -> tuple[int, ...]:
    return (0, *(line.end() for line in _BREAK.finditer(text)))


def position_at(text: str, offset: int) -> Position:
    """Position of an offset, which is cut to the length of the text."""
    offset = max(0, min(offset, len(text)))
    start = line_start(text, offset)
    before = text[start:offset].encode("utf-16-le", "surrogatepass")
    return Position(_lines_before(text, start), len(before) // 2)


@functools.lru_cache(maxsize=8)
def _lines_before(text: str, offset: int) -> int:
    """Number of line breaks in front of an offset; all suggestions for a goal are put at the same place."""
    return text.count("\n", 0, offset)


def range_at(text: str, start: int, end: int) -> Range:
    """The range between two offsets."""
    return Range(start=position_at(text, start), end=position_at(text, end))


def newline_of(text: str) -> str:
    """The line break that the text uses: that of its first line, `\\n` where it has one line only."""
    end = text.find("\n")
    return "\r\n" if end > 0 and text[end - 1] == "\r" else "\n"


def minimal_edit(old: str, new: str) -> TextEdit | None:
    """The smallest single edit that turns `old` into `new`; None when they are equal.

    Line breaks of two characters are never cut in two.
    """
    if old == new:
        return None
    prefix = common_prefix(old, new)
    if prefix and old[prefix - 1] == "\r":
        prefix -= 1
    suffix = _common_suffix(old, new, min(len(old), len(new)) - prefix)
    if suffix and old[-suffix] == "\n" and "\r" in (old[-suffix - 1 : -suffix], new[-suffix - 1 : -suffix]):
        suffix -= 1
    return TextEdit(range=range_at(old, prefix, len(old) - suffix), new_text=new[prefix : len(new) - suffix])


def common_prefix(old: str, new: str) -> int:
    """Length of the longest common prefix."""
    return _longest(min(len(old), len(new)), lambda low, high: old[low:high] == new[low:high])


def _common_suffix(old: str, new: str, maximum: int) -> int:
    before, after = len(old), len(new)
    return _longest(maximum, lambda low, high: old[before - high : before - low] == new[after - high : after - low])


def _longest(maximum: int, alike: Callable[[int, int], bool]) -> int:
    """The greatest length up to which two texts are alike: bisection, since slices compare faster than characters."""
    low, high = 0, maximum
    while low < high:
        middle = (low + high + 1) // 2
        if alike(low, middle):
            low = middle
        else:
            high = middle - 1
    return low
