"""What is declared inside of a declaration: `where helper : … := …`, `let rec helper …`.

Lean shows no such name in a goal, and a step that uses the one that it belongs to is no proof.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from llmstep.lean.tokens import CLOSING, OPENING, Token

_DEFINING: Final = frozenset({"have", "haveI", "let", "letI", "set", "replace", "return", "obtain", "set_option"})
"""Steps with a `:=` of their own behind names."""


def circular_helpers(tokens: Sequence[Token], offset: int, theorem: str) -> frozenset[str]:
    """The names of the helpers that may rest on what stands at an offset: all, or none.

    They may where the offset is in one of them, or where one of them names the theorem.

    Args:
        tokens: Of the declaration.
        theorem: Its name as written; empty where it has none.
    """
    names: set[str] = set()
    circular = False
    own = theorem.rpartition(".")[2]
    column = -1
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ""
        if before == "where":
            column = token.column
        local = before == "rec" and index > 1 and tokens[index - 2].text == "let"
        listed = before == "where" or (token.leads and token.column == column)
        if token.is_name and (local or listed) and _has_type(tokens, index):
            names.add(token.text)
            body = list(_hanging(tokens, index, token.indent if local else token.column))
            inside = bool(body) and token.start <= offset <= body[-1].end
            circular |= inside or any(own and own in each.text.split(".") for each in body)
    return frozenset(names) if circular else frozenset()


def _hanging(tokens: Sequence[Token], index: int, margin: int) -> Iterator[Token]:
    """The tokens behind one of them, up to the first line that begins at a column or to the left of it."""
    rest = itertools.islice(tokens, index + 1, None)
    return itertools.takewhile(lambda each: not each.leads or each.column > margin, rest)


def fields(tokens: Sequence[Token]) -> frozenset[int]:
    """Offsets of the tokens that begin a field of a structure, as `left := …` or `comm a b := …` on a line of its own.

    Their names may be those of tactics.
    """
    found: set[int] = set()
    first: Token | None = None
    for token in tokens:
        if token.leads:
            first = token if token.is_name and token.text not in _DEFINING else None
        if first is not None and token.text == ":=":
            found.add(first.start)
        if not token.is_name:
            first = None
    return frozenset(found)


def _has_type(tokens: Sequence[Token], index: int) -> bool:
    """Whether a name has a type or alternatives, as a helper has and the field of a structure has not."""
    depth = 0
    for token in itertools.islice(tokens, index + 1, None):
        depth += (token.text in OPENING) - (token.text in CLOSING)
        if depth < 0 or (depth == 0 and token.text == ":="):
            return False
        if depth == 0 and token.text in {":", "|"}:
            return True
    return False
