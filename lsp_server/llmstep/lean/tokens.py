"""Tokens of masked Lean text, fine enough to see the layout of tactic blocks."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from llmstep.lean.step_words import DEFINING, KNOWN_STEPS

_PART: Final = r"(?:«[^»\n]{0,200}»|[^\W\d][\w'!?]*)"
NAME: Final = rf"{_PART}(?:\.(?:{_PART}|\d+))*"
"""A name with its dots; subscripts are word characters to Python as they are to Lean."""

_TOKEN: Final = re.compile(rf"\.?{NAME}|\d[\w.]*|\"[^\"]*\"?|:=|=>|<;>|<\|>|<\||\|>|\|\||\S")

OPENING: Final = {"(": ")", "[": "]", "{": "}", "⟨": "⟩"}
CLOSING: Final = frozenset(OPENING.values())
_BEHIND_A_TERM: Final = CLOSING | {'"', "'", "‹", "›", "»", "?", "!", "·"}


@attrs.define(eq=False)
class Token:
    """A token and where it stands; `column` counts characters, as Lean's layout does."""

    start: int
    end: int
    text: str
    column: int
    leads: bool
    """It is the first of its line."""
    indent: int
    """Column of the first character of its line that is not blank."""
    margin: str
    """The first token of its line; empty on the line that the tokens begin on."""

    @property
    def hang(self) -> int:
        """Least comfortable column for what hangs below its line: behind `calc` or `where`, right of what follows."""
        return self.indent + {"calc": 7, "where": 8}.get(self.margin, 2)

    @property
    def is_name(self) -> bool:
        return self.text[0].isalpha() or self.text[0] in "_«"


def tokenize(masked: str, start: int = 0, end: int = sys.maxsize) -> Iterator[Token]:
    """The tokens of `masked` (see `llmstep.lean.masking.mask`) between two offsets."""
    line = masked.rfind("\n", 0, start) + 1
    line += line == 0 and masked.startswith("\ufeff")
    opening = masked[line:start]
    fresh = not opening.strip()
    indent = len(opening) - len(opening.lstrip())
    margin = ""
    done = start
    following = masked.find("\n", start)
    for match in _TOKEN.finditer(masked, start, end):
        at, text = match.start(), match.group()
        if 0 <= following < at:
            line = masked.rfind("\n", 0, at) + 1
            fresh = line > done  # else a string of several lines ends on its line
            following = masked.find("\n", at)
        done = match.end()
        leads = fresh
        if leads:
            indent, margin, fresh = at - line, text, False
        yield Token(at, done, text, at - line, leads, indent, margin)


def outside(tokens: Iterable[Token]) -> Iterator[Token]:
    """The tokens that stand in no bracket, up to one that closes a bracket opened in front of them all."""
    depth = 0
    for token in tokens:
        depth += (token.text in OPENING) - (token.text in CLOSING)
        if depth < 0:
            return
        if depth == 0:
            yield token


def body_of(masked: str, start: int, end: int) -> Token | None:
    """The `:=`, `where` or `|` in front of the body of a declaration whose keyword ends at `start`."""
    tokens = outside(tokenize(masked, start, end))
    return next((each for each in tokens if each.text in {":=", "where"} or (each.text == "|" and each.leads)), None)


def arrows_ahead(tokens: Sequence[Token]) -> frozenset[int]:
    """Offsets of the `|` that are followed by `=>` on their line, with no `:=` or `;` between them."""
    found: set[int] = set()
    arrow = False
    outside: list[bool] = []
    for token in reversed(tokens):
        text = token.text
        if text == "=>":
            arrow = True
        elif text in {":=", ";"}:
            arrow = False
        elif text in CLOSING:
            outside.append(arrow)
            arrow = False
        elif text in OPENING:
            arrow = outside.pop() if outside else False
        elif text == "|" and arrow:
            found.add(token.start)
        if token.leads:
            arrow = False
            outside.clear()
    return frozenset(found)


def fields(tokens: Sequence[Token]) -> frozenset[int]:
    """Offsets of the tokens that begin a field of a structure, as `left := …` or `comm a b := …` on a line of its own.

    Their names may be those of tactics.
    """
    found: set[int] = set()
    first: Token | None = None
    for token in tokens:
        if token.leads:
            first = token if token.is_name and token.text not in DEFINING else None
        if first is not None and token.text == ":=":
            found.add(first.start)
        if not token.is_name:
            first = None
    return frozenset(found)


def opens_value(bar: Token, last: Token | None, after: Token | None) -> bool:
    """Whether `|` opens an absolute value: `= |x|`, `f |x|`, but not `exact h | exact k`."""
    if after is None or after.leads or after.text == "|":
        return False
    touches = after.start == bar.end
    if last is None or not (last.is_name or last.text[0].isdigit() or last.text[-1] in _BEHIND_A_TERM):
        return touches
    return touches and bar.start > last.end and after.text not in KNOWN_STEPS
