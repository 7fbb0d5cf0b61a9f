"""The lexical surface of Lean text: what is left when comments and the insides of strings are blanked.

One pass without recursion, so that no text, however odd, takes longer than its length.
"""

from __future__ import annotations

import re
from typing import Final

_PIECE: Final = 1 << 16
_MAX_OPENING: Final = 64
_OPENING: Final = re.compile(r"--|/-|r#*\"|\"|'|«+")
_COMMENT_MARKS: Final = re.compile(r"(?:/-\s*)+|(?:-/\s*)+")
"""Runs of opening or of closing marks of block comments."""
_COMMENT: Final = re.compile(r"\s*(--|/-)")
_PLAIN: Final = re.compile(r"[^\"\\]*(?:\\.[^\"\\]*)*", re.DOTALL)
_INTERPOLATED: Final = re.compile(r"[^\"\\{]*(?:\\.[^\"\\{]*)*", re.DOTALL)
"""The inside of a string, up to its quote or to a brace that opens a term in it."""
_IN_BRACES: Final = re.compile(r"[{}\"]")
_CHARACTER: Final = re.compile(r"'(?:\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)|[^\\'\n])'")

DEEPEST_STRING: Final = 100
"""A string inside of so many others is taken as one without an end."""


class Blanks(dict[int, int]):
    """For `str.translate`: everything becomes a blank but some white space."""

    def __init__(self, kept: str = "") -> None:
        super().__init__()
        self._kept = kept

    def __missing__(self, code: int) -> int:
        stays = chr(code) in self._kept if self._kept else chr(code).isspace()
        blank = self[code] = code if stays else 0x20
        return blank


_BLANKS: Final = Blanks()
"""White space stays."""


def _search(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str] | None:
    """What `search` finds, piece by piece, since no other thread runs while it goes through a text."""
    while at < len(text):
        end = min(at + _PIECE, len(text))
        found = pattern.search(text, at, end + _MAX_OPENING)
        if found is not None:
            return pattern.match(text, found.start())
        at = end
    return None


def _blanks(text: str, start: int, end: int) -> list[str]:
    """The same for what becomes blanks."""
    return [text[at : min(at + _PIECE, end)].translate(_BLANKS) for at in range(start, end, _PIECE)]


def mask(text: str) -> str:
    """`text` with comments, and what stands inside of strings and character literals, turned into blanks.

    The length, the line breaks and the quotes stay, so that offsets mean the same in both. A comment or string without
    an end reaches to the end of the text, as in Lean.
    """
    parts: list[str] = []
    done = at = 0
    quoted = line = -1  # the next `»`, and the line break in front of it if there is one
    while opening := _search(_OPENING, text, at):
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
        elif token[0] == "«":
            if quoted < start:
                end = text.find("»", start)
                quoted = len(text) if end < 0 else end
            if line < start:
                line = text.find("\n", start, quoted)
                line = quoted if line < 0 else line
            at = quoted + 1 if quoted <= line < len(text) else opening.end()
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
        if inner < inner_end:
            parts += (text[done:inner], *_blanks(text, inner, inner_end))
            done = inner_end
    parts.append(text[done:])
    return "".join(parts)


def comment_at(text: str, offset: int) -> tuple[int, int] | None:
    """The offsets of the first comment behind an offset, with nothing but blanks between; None where there is none."""
    start = _COMMENT.match(text, offset)
    if start is None:
        return None
    at = start.start(1)
    if start.group(1) == "/-":
        return at, _block_end(text, at)
    end = text.find("\n", at)
    return at, len(text) if end < 0 else end


def _in_name(text: str, offset: int) -> bool:
    """Whether the character at `offset` continues a name that began before it."""
    before = text[offset - 1 : offset]
    return before.isalnum() or before in {"_", "'", "!", "?"}


def _block_end(text: str, start: int) -> int:
    """Offset behind the block comment that opens at `start`; block comments nest."""
    depth = 1
    at = start + 3 if text[start + 2 : start + 3] in {"-", "!"} else start + 2
    while marks := _search(_COMMENT_MARKS, text, at):
        run, at = marks.group(), marks.end()
        count = run.count("/-") if run.startswith("/-") else -run.count("-/")
        if depth + count <= 0:
            at = marks.start()
            for _ in range(depth):
                at = text.index("-/", at) + 2
            return at
        depth += count
    return len(text)


def _string_end(text: str, at: int, *, interpolated: bool) -> int:
    """Offset behind the string whose inside begins at `at`; `{…}` of an interpolated one may hold strings."""
    around: list[int] = []  # for each string that this one is in, the braces that are open there
    while at < len(text):
        inside = (_INTERPOLATED if interpolated else _PLAIN).match(text, at)
        at = inside.end() + 1 if inside else at + 1
        mark = text[at - 1 : at]
        if mark == "{" and len(around) < DEEPEST_STRING:
            depth = 1
        elif mark == '"' and around:
            depth = around.pop()
        else:
            return min(at, len(text)) if mark == '"' else len(text)
        while depth:
            brace = _IN_BRACES.search(text, at)
            if brace is None:
                return len(text)
            at = brace.end()
            if brace.group() == '"':
                around.append(depth)
                interpolated = text[at - 2 : at - 1] == "!"
                break
            depth += 1 if brace.group() == "{" else -1
        else:
            interpolated = True
    return len(text)


def _before_quote(text: str, inner: int, end: int, closing: str) -> int:
    """Where the inside of a string ends: before its closing quote, or at `end` if it has none."""
    return max(inner, end - len(closing)) if text.endswith(closing, inner, end) else end
