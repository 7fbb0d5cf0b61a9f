"""Steps that are typed only in part, so that Lean's parser cannot go on behind them: `exact`, `rw [h`, `exa`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from llmstep.lean.blocks import begins_step
from llmstep.lean.step_words import (
    CASES,
    CHOICES,
    CONVERSIONS,
    KNOWN_STEPS,
    NAMING,
    OPEN_END,
    PATTERNS,
    WITH_ARGUMENT,
)
from llmstep.lean.tokens import CLOSING

if TYPE_CHECKING:
    from llmstep.lean.blocks import Item
    from llmstep.lean.cursor_context import CursorContext
    from llmstep.lean.tokens import Token


_LONGEST_NAME: Final = 200


def unfinished_step(cursor: CursorContext) -> tuple[Item, int] | None:
    """The unfinished step that the cursor is in, behind, or on the line below; and the offset behind it."""
    innermost = True
    for block in cursor.around:
        item = next((item for item in reversed(block.items) if item.start <= cursor.offset), None)
        if item is None:
            continue
        done = _end(cursor, item)
        start, end = cursor.line
        between = cursor.masked[done : cursor.offset]
        lines = 0 if cursor.masked[start:end].strip() else 1
        near = not between.strip() and between.count("\n") <= lines
        if near and (_is_unfinished(cursor, item) if innermost else _is_open(item)):
            return item, max(done, cursor.offset)
        innermost = False
    return None


def _end(cursor: CursorContext, item: Item) -> int:
    """Offset behind a step; an open bracket takes no line with it that is of the block, or around that."""
    if item.unclosed is not None:
        for before, token in itertools.pairwise(cursor.tokens_between(item.start, item.end)):
            if token.leads and token.text not in CLOSING and _is_outside(token, item):
                return before.end
    return item.end


def _is_outside(token: Token, item: Item) -> bool:
    """Whether the line that begins with a token is none of a step's own."""
    if token.column <= item.block.column and begins_step(token):
        return True
    margin = item.first.indent
    return token.column < margin or (token.column == margin and token.text in {"|", "else", "_"})


def _is_open(item: Item) -> bool:
    """Whether a bracket of a term in it stays open."""
    return item.unclosed is not None and not item.unclosed.holds_steps


def _is_unfinished(cursor: CursorContext, item: Item) -> bool:
    if _is_open(item):
        return True
    last = next((token for token in reversed(cursor.layout.tokens) if token.end == item.end), item.first)
    if last is not item.first:
        named = item.head in NAMING and item.end - item.start < _LONGEST_NAME
        if named and not any(each.text in {":", ":=", "|"} for each in cursor.tokens_between(item.start, item.end)):
            return True  # `have h`
        if last.text == "|" and item.head in PATTERNS:
            return True
        return last.text in OPEN_END or (item.head in CASES | CONVERSIONS and item.inner is None)
    word = item.head
    if word in WITH_ARGUMENT | CASES | CHOICES:
        return True
    return word not in KNOWN_STEPS and any(known.startswith(word) for known in KNOWN_STEPS)
