"""The tokens of a candidate as Lean's own lexer cuts them, so that no text of it can hide a word.

`llmstep.lean.tokens` is for the user's text, which may be anything; this one is strict. Where two readings are possible
(a comment that may be part of an operator, a string whose end depends on whether it is interpolated) it refuses, so
that no word can hide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

from llmstep.lean.masking import CHARACTER, LATIN, LETTERS, SUBSCRIPTS, Hidden, hidden

_PART: Final = re.compile(rf"(?:«[^»\n]*»|[{LETTERS}{LATIN}][{LETTERS}{LATIN}{SUBSCRIPTS}0-9'!?]*)")
_TOKEN: Final = re.compile(rf"{_PART.pattern}(?:\.{_PART.pattern})*|:=|=>|<;>|@\[|#\(|[0-9]+|[ \t\n]+|.", re.DOTALL)
_STRING: Final = re.compile(
    r'"(?:[^"\\{]|\\(?:[\\"\'rnt{]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|\n[ \t]*)|\{[^"{}\\]*\})*"', re.DOTALL
)
"""A string that ends at the same place whether Lean takes its braces for code or not."""
_BRACES: Final = re.compile(r"\\.|\{([^}]*)\}", re.DOTALL)
_CHARACTER: Final = re.compile(CHARACTER)
_ENDS: Final = frozenset(' \t\n()[]{}⟨⟩,;"»')
"""Behind these a comment or a character literal begins, and no operator goes on."""
_OPEN_STRING: Final = "It holds a string that is open, or that may hold code."


class LexicalError(ValueError):
    """The text has no reading that is beyond doubt; the message is one sentence about it."""


@attrs.frozen
class Lexeme:
    """A token of a candidate; that of a literal is only a quote."""

    text: str
    leads: bool
    """It is the first of its line."""
    glued: bool
    """Nothing stands between it and the token before."""

    @property
    def is_name(self) -> bool:
        return _PART.match(self.text) is not None

    @property
    def marked(self) -> tuple[str, ...]:
        """The components of a name as they are written."""
        return tuple(_PART.findall(self.text)) if self.is_name else ()

    @property
    def parts(self) -> tuple[str, ...]:
        """The components of a name, without the marks «» of quoted ones."""
        return tuple(part.strip("«»") for part in self.marked)


def lex(text: str) -> list[Lexeme]:
    """The tokens of a text, those inside the braces of strings among them; comments are none.

    Raises:
        LexicalError: Something is left open, or can be read in two ways.
    """
    found: list[Lexeme] = []
    leads, end = True, -1
    for start, token, literal in _pieces(text):
        if token[0] in " \t\n":
            leads |= "\n" in token
            continue
        glued = start == end
        if glued and token[0] == '"' and next((each.text for each in reversed(found) if each.text != "#"), "") == "r":
            raise LexicalError(_OPEN_STRING)  # raw or not
        found.append(Lexeme('"' if literal else token, leads, glued))
        for code in _BRACES.findall(token) if token[0] == '"' else ():
            found += lex(code)  # Lean reads it as code where the string is interpolated
        leads, end = False, start + len(token)
    return found


def _pieces(text: str) -> Iterator[tuple[int, str, bool]]:
    """The tokens and the blanks between them, each with its offset and whether it is a literal."""
    at = 0
    for piece in hidden(text):
        alone = piece.start == 0 or text[piece.start - 1] in _ENDS
        if piece.kind == "character" and not alone:
            continue
        yield from _plain(text, at, piece.start)
        at = piece.end
        if piece.kind == "comment":
            _check_comment(text, piece, alone)
            continue
        if piece.kind == "string" and not _STRING.fullmatch(text, piece.start, at):
            raise LexicalError(_OPEN_STRING)
        if not piece.closed:
            raise LexicalError("It leaves a string open.")
        yield piece.start, text[piece.start : at], True
    yield from _plain(text, at, len(text))


def _plain(text: str, start: int, end: int) -> Iterator[tuple[int, str, bool]]:
    """The tokens between literals and comments."""
    for match in _TOKEN.finditer(text, start, end):
        token = match[0]
        if token == "«":
            raise LexicalError("It holds a name in « » without an end.")
        character = _CHARACTER.match(text, match.start()) if token == "'" else None
        if character and set(character[0][1:-1]) & set("\"«\\-/'"):
            raise LexicalError("It holds a character that may be part of an operator.")
        yield match.start(), token, False


def _check_comment(text: str, comment: Hidden, alone: bool) -> None:
    before = text[comment.start - 1 : comment.start]
    if not alone and not (before.isalnum() or before in "_'!?"):
        raise LexicalError("It holds a comment that may be part of an operator.")
    if text.startswith(("/--", "/-!"), comment.start):
        raise LexicalError("It is not a step: a documentation comment begins a command.")
    if not comment.closed:
        raise LexicalError("It leaves a comment open.")


def words_of(part: str) -> list[str]:
    """The words that a version of Lean may see in a component: older ones end a name at a Latin letter with a mark."""
    return [part, *(word for word in re.split(rf"[{LATIN}]", part) if word != part)]
