"""The tokens of a candidate as Lean's own lexer cuts them, so that no text of it can hide a word.

`llmstep.lean.tokens` is for the user's text, which may be anything; this one is strict. Where two readings are possible
(a comment that may be part of an operator, a string whose end depends on whether it is interpolated) it refuses, so
that no word can hide. One pass; the time is linear in the length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

_LETTERS: Final = (
    "A-Za-z_\u03b1-\u03ba\u03bc-\u03c9\u0391-\u039f\u03a1\u03a2\u03a4-\u03a9\u03ca-\u03fb\u1f00-\u1ffe\u2100-\u214f"
    "\U0001d49c-\U0001d59f"
)
_LATIN: Final = "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f"
"""Letters of names in newer versions of Lean only."""
_SUBSCRIPTS: Final = "\u2080-\u2089\u2090-\u209c\u1d62-\u1d6a\u2c7c"
_PART: Final = rf"(?:«[^»\n]*»|[{_LETTERS}{_LATIN}][{_LETTERS}{_LATIN}{_SUBSCRIPTS}0-9'!?]*)"
_NAME: Final = re.compile(rf"{_PART}(?:\.{_PART})*")
_ONE_PART: Final = re.compile(_PART)
_STRING: Final = re.compile(
    r'"(?:[^"\\{]|\\(?:[\\"\'rnt{]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|\n[ \t]*)|\{[^"{}\\]*\})*"', re.DOTALL
)
"""A string that ends at the same place whether Lean takes its braces for code or not."""
_BRACES: Final = re.compile(r"\\.|\{([^}]*)\}", re.DOTALL)
_RAW_STRING: Final = re.compile(r'r(#*)"')
_CHARACTER: Final = re.compile(r"'(?:[^\\'\n]|\\(?:[\\\"'rnt]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}))'")
_BLOCK: Final = re.compile(r"/-|-/")
_BLANKS: Final = re.compile(r"[ \t\n]+")
_SYMBOL: Final = re.compile(r":=|=>|<;>|@\[|#\(|[0-9]+|.", re.DOTALL)
_ENDS: Final = frozenset(' \t\n()[]{}⟨⟩,;"»')
"""Behind these a comment or a character literal begins, and no operator goes on."""


class LexicalError(ValueError):
    """The text has no reading that is beyond doubt; the message is one sentence about it."""


@attrs.frozen
class Lexeme:
    """A token of a candidate; that of a string without code is only its quote."""

    text: str
    start: int
    leads: bool
    """It is the first of its line."""
    glued: bool
    """Nothing stands between it and the token before."""

    @property
    def is_name(self) -> bool:
        return _NAME.match(self.text) is not None

    @property
    def marked(self) -> tuple[str, ...]:
        """The components of a name as they are written."""
        return tuple(_ONE_PART.findall(self.text)) if self.is_name else ()

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
    for start, token in _scan(text):
        if token == "\n":
            leads = True
            continue
        code = _code(token) if token[0] == '"' else []
        found.append(Lexeme('"' if token[0] in "\"'r" and token[-1] in "\"'#" else token, start, leads, start == end))
        for inner in code:
            found += [attrs.evolve(each, start=start) for each in lex(inner)]
        leads, end = False, start + len(token)
    return found


def _scan(text: str) -> Iterator[tuple[int, str]]:
    """The tokens as they stand, strings whole, and a line break for each run of blanks with one."""
    at = 0
    while at < len(text):
        if blanks := _BLANKS.match(text, at):
            if "\n" in blanks.group():
                yield at, "\n"
            at = blanks.end()
            continue
        if text.startswith(("--", "/-"), at):
            at = _comment_end(text, at)
            continue
        token = _literal(text, at)
        if token is None:
            match = _NAME.match(text, at) or _SYMBOL.match(text, at)
            assert match is not None
            token = match.group()
            if token == "«":
                raise LexicalError("It holds a name in « » without an end.")
        yield at, token
        at += len(token)


def _comment_end(text: str, start: int) -> int:
    before = text[start - 1 : start]
    if before and before not in _ENDS and not (before.isalnum() or before in "_'!?"):
        raise LexicalError("It holds a comment that may be part of an operator.")
    if text.startswith("--", start):
        end = text.find("\n", start)
        return len(text) if end < 0 else end
    if text.startswith(("/--", "/-!"), start):
        raise LexicalError("It is not a step: a documentation comment begins a command.")
    depth, at = 1, start + 2
    while mark := _BLOCK.search(text, at):
        depth += 1 if mark.group() == "/-" else -1
        at = mark.end()
        if depth == 0:
            return at
    raise LexicalError("It leaves a comment open.")


def _literal(text: str, at: int) -> str | None:
    """The string or character that begins here."""
    if text[at] == '"':
        string = _STRING.match(text, at)
        if string is None:
            raise LexicalError("It holds a string that is open, or that may hold code.")
        return string.group()
    if raw := _RAW_STRING.match(text, at):
        end = text.find('"' + raw.group(1), raw.end())
        if end < 0:
            raise LexicalError("It leaves a string open.")
        return text[at : end + 1 + len(raw.group(1))]
    if text[at] == "'":
        character = _CHARACTER.match(text, at)
        before = text[at - 1 : at]
        if character and before and before not in _ENDS:
            if set(character.group()[1:-1]) & set("\"«\\-/'"):
                raise LexicalError("It holds a character that may be part of an operator.")
            return None
        return character.group() if character else None
    return None


def _code(string: str) -> list[str]:
    """What stands in the braces of a string; Lean reads it as code where the string is interpolated."""
    return [match.group(1) for match in _BRACES.finditer(string) if match.group(1)]


def words_of(part: str) -> list[str]:
    """The words that a version of Lean may see in a component: older ones end a name at a Latin letter with a mark."""
    return [part, *(word for word in re.split(rf"[{_LATIN}]", part) if word != part)]
