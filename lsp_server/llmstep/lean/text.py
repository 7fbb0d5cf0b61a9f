"""Offsets, UTF-16 positions and the lexical surface of Lean text.

Offsets count Python characters (code points); positions count UTF-16 code units in a line, as on the wire. Lines end
with `\\n` or `\\r\\n`, as Lean counts them: a lone `\\r` and the other line separators of Unicode end no line.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from lsprotocol.types import Position, Range, TextEdit

_OPENING: Final = re.compile(r"--|/-|r#*\"|\"|'|«")
_BLOCK_END: Final = re.compile(r"/-|-/")
_STRING_END: Final = re.compile(r"\\.|\"", re.DOTALL)
_CHARACTER: Final = re.compile(r"'(?:\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)|[^\\'\n])'")
_VISIBLE: Final = re.compile(r"[^\s]")
_FEW_LINES: Final = 32
"""So many are found one after the other."""


def utf16_length(text: str) -> int:
    """Number of UTF-16 code units of `text`."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


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
    start = _line_offset(text, position.line)
    if start is None:
        return len(text)
    line = text[start : line_end(text, start)]
    if line.isascii():
        return start + min(position.character, len(line))
    units = 0
    for index, character in enumerate(line):
        units += 2 if ord(character) > 0xFFFF else 1
        if units > position.character:
            return start + index
    return start + len(line)


def _line_offset(text: str, number: int) -> int | None:
    """Offset of the start of a line, counted from 0; None behind the last one.

    Goes over as many characters at a time as there are lines to go, which hold no more line breaks than that: a long
    text is counted in few calls.
    """
    start = 0
    while number > _FEW_LINES and start < len(text):
        end = start + number
        number -= text.count("\n", start, end)
        start = end
    if number == 0:
        return line_start(text, start)
    for _ in range(number):
        start = text.find("\n", start) + 1
        if start == 0:
            return None
    return start


def position_at(text: str, offset: int) -> Position:
    """Position of an offset, which is cut to the length of the text."""
    offset = max(0, min(offset, len(text)))
    start = line_start(text, offset)
    return Position(line=_lines_before(text, start), character=utf16_length(text[start:offset]))


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
    """Length of the longest common prefix: bisection, since slices compare much faster than characters."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(old: str, new: str, most: int) -> int:
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if old[len(old) - middle : len(old) - low] == new[len(new) - middle : len(new) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def mask(text: str) -> str:
    """`text` with comments, and what stands inside of strings and character literals, turned into blanks.

    The length, the line breaks and the quotes stay, so that offsets mean the same in both. A comment or string without
    an end reaches to the end of the text, as in Lean.
    """
    parts: list[str] = []
    done = 0
    at = 0
    while opening := _OPENING.search(text, at):
        start, token = opening.start(), opening.group()
        if token == "--":
            end = text.find("\n", start)
            at = inner_end = len(text) if end < 0 else end
            inner = start
        elif token == "/-":
            inner, at = start, _block_end(text, start)
            inner_end = at
        elif token == "'":
            character = None if _in_name(text, start) else _CHARACTER.match(text, start)
            if character is None:
                at = start + 1
                continue
            inner, at = start + 1, character.end()
            inner_end = at - 1
        elif token == "«":
            end = text.find("»", start)
            at = start + 1 if end < 0 or "\n" in text[start:end] else end + 1
            continue
        elif token == '"':
            inner, at = start + 1, _string_end(text, start + 1, interpolated=text[start - 1 : start] == "!")
            inner_end = _before_quote(text, inner, at, '"')
        else:
            if _in_name(text, start):  # the `r` ends a name: an ordinary string follows
                at = opening.end() - 1 if token == 'r"' else start + 1
                continue
            closing = '"' + "#" * (len(token) - 2)
            inner = opening.end()
            end = text.find(closing, inner)
            at = len(text) if end < 0 else end + len(closing)
            inner_end = _before_quote(text, inner, at, closing)
        parts += (text[done:inner], _VISIBLE.sub(" ", text[inner:inner_end]))
        done = inner_end
    parts.append(text[done:])
    return "".join(parts)


def _in_name(text: str, offset: int) -> bool:
    """Whether the character at `offset` continues a name that began before it."""
    before = text[offset - 1 : offset]
    return before.isalnum() or before in {"_", "'", "!", "?"}


def _block_end(text: str, start: int) -> int:
    """Offset behind the block comment that opens at `start`; block comments nest."""
    depth = 1
    at = start + 3 if text[start + 2 : start + 3] in {"-", "!"} else start + 2
    while mark := _BLOCK_END.search(text, at):
        depth += 1 if mark.group() == "/-" else -1
        at = mark.end()
        if depth == 0:
            return at
    return len(text)


def _string_end(text: str, at: int, *, interpolated: bool) -> int:
    """Offset behind the string whose inside begins at `at`; `{…}` of an interpolated one may hold strings."""
    while mark := _STRING_END.search(text, at):
        brace = text.find("{", at, mark.start()) if interpolated else -1
        if brace >= 0:
            at = _braces_end(text, brace + 1)
        elif mark.group() == '"':
            return mark.end()
        else:
            at = mark.end()
    return len(text)


def _braces_end(text: str, at: int) -> int:
    depth = 1
    while at < len(text) and depth:
        if text[at] == '"':
            at = _string_end(text, at + 1, interpolated=text[at - 1] == "!")
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return at


def _before_quote(text: str, inner: int, end: int, closing: str) -> int:
    """Where the inside of a string ends: before its closing quote, or at `end` if it has none."""
    return max(inner, end - len(closing)) if text.endswith(closing, inner, end) else end
