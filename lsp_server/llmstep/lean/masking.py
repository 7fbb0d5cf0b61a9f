"""The lexical surface of Lean text: its comments and literals, and what is left when their insides are blanked.

One pass without recursion, so that no text, however odd, takes longer than its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

LETTERS: Final = (
    "A-Za-z_\u03b1-\u03ba\u03bc-\u03c9\u0391-\u039f\u03a1\u03a2\u03a4-\u03a9\u03ca-\u03fb\u1f00-\u1ffe\u2100-\u214f"
    "\U0001d49c-\U0001d59f"
)
LATIN: Final = "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f"
"""Letters of names in newer versions of Lean only."""
SUBSCRIPTS: Final = "\u2080-\u2089\u2090-\u209c\u1d62-\u1d6a\u2c7c"
_IN_NAME: Final = rf"{LETTERS}{LATIN}{SUBSCRIPTS}0-9'!?"
_INSIDE: Final = r"(?:\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)|[^\\'\n])'"
"""Of a character literal, up to its second quote."""
CHARACTER: Final = f"'{_INSIDE}"
_OPENING: Final = re.compile(
    rf"--[^\n]*|/-|\"|r(?<![{_IN_NAME}]r)(?<![{_IN_NAME}»]\.r)#*\"|'(?<![{_IN_NAME}]'){_INSIDE}|«(?<!««)«*[^«»\n]{{0,200}}»"
)
"""Each way begins with the character that is searched for, which is what makes it fast."""
_BLOCK_MARK: Final = re.compile(r"/-|-/")
_STRING_MARKS: Final = {
    '"': re.compile(r'\\.|"', re.DOTALL),
    "!": re.compile(r'\\.|["{]', re.DOTALL),
    "{": re.compile(r'[{}"]'),
}
"""What matters next inside of a string, of an interpolated one, and of the braces of such a one."""
_LINE: Final = re.compile(r"[^\r\n]+")


class Hidden(NamedTuple):
    """A comment or a literal, from `start` to `end`; what is blanked of it reaches from `inner` to `inner_end`."""

    kind: Literal["comment", "string", "raw string", "character"]
    start: int
    inner: int
    inner_end: int
    end: int
    closed: bool = True


def hidden(text: str, at: int = 0) -> Iterator[Hidden]:
    """The comments and literals behind an offset. One without an end reaches to the end of the text, as in Lean."""
    while opening := _OPENING.search(text, at):
        start, at = opening.span()
        mark, inner = opening.group(), at
        if mark[0] == "«":
            continue
        if mark[0] == "-":
            yield Hidden("comment", start, start, at, at)
        elif mark[0] == "'":
            yield Hidden("character", start, start + 1, at - 1, at)
        elif mark[0] == "/":
            at, closed = _block_end(text, inner)
            yield Hidden("comment", start, start, at, at, closed)
        else:
            closing = '"' + "#" * (len(mark) - 2)
            at = _string_end(text, start) if mark[0] == '"' else text.find(closing, inner) + len(closing)
            at, closed = (at, True) if at > inner else (len(text), False)
            inner_end = at - len(closing) if closed else at
            yield Hidden("raw string" if mark[0] == "r" else "string", start, inner, inner_end, at, closed)


def mask(text: str) -> str:
    """`text` with comments, and what stands inside of strings and character literals, turned into blanks.

    The length, the line breaks and the quotes stay, so that offsets mean the same in both.
    """
    parts: list[str] = []
    done = 0
    for _, _, inner, end, *_ in hidden(text):
        parts += (text[done:inner], blanks(text[inner:end]))
        done = end
    return "".join((*parts, text[done:]))


def blanks(text: str) -> str:
    """As many blanks as the text has characters; its line breaks stay."""
    return _LINE.sub(lambda line: " " * len(line.group()), text)


def _block_end(text: str, at: int) -> tuple[int, bool]:
    """Offset behind the block comment whose mark ends at an offset, and whether it ends; block comments nest."""
    depth = 1
    for mark in _BLOCK_MARK.finditer(text, at + (text[at : at + 1] in {"-", "!"})):
        depth += 1 if mark.group() == "/-" else -1
        if depth == 0:
            return mark.end(), True
    return len(text), False


def _string_end(text: str, start: int) -> int:
    """Offset behind the string that begins at an offset, or -1; `{…}` in an interpolated one may hold others."""
    around = [_string_kind(text, start)]
    at = start + 1
    while around:
        mark = _STRING_MARKS[around[-1]].search(text, at)
        if mark is None:
            return -1
        at = mark.end()
        if mark[0] == "{":
            around.append("{")
        elif mark[0] == '"' and around[-1] == "{":
            around.append(_string_kind(text, mark.start()))
        elif mark[0] in {'"', "}"}:
            around.pop()
    return at


def _string_kind(text: str, start: int) -> str:
    return "!" if text[start - 1 : start] == "!" else '"'
