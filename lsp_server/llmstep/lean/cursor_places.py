"""What a cursor is at: the opener or end of a block, the first words of a step, a step that is typed only in part."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from llmstep.lean.blocks import Block, Bracket, Item, begins_step
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
from llmstep.lean.text import line_end
from llmstep.lean.tokens import CLOSING, Token

if TYPE_CHECKING:
    from llmstep.lean.cursor_context import CursorContext


def unsolved_block(cursor: CursorContext) -> Item | None:
    """The last step of the block at whose opener, or closing bracket, Lean says that goals are unsolved."""
    found = None
    for block in cursor.layout.blocks:
        if not block.items or not cursor.is_unsolved(block):
            continue
        bracket = block.parent
        place = block.opener
        if block.kind == "paren" and isinstance(bracket, Bracket) and bracket.close is not None:
            place = bracket.close
        if place.start <= cursor.offset <= place.end:
            found = block.items[-1]
    return found


def first_of_block(cursor: CursorContext) -> Item | None:
    """The first step of the block whose opener the cursor is at."""
    found = None
    for block in cursor.layout.blocks:
        if block.items and _head_start(cursor, block) <= cursor.offset <= _head_end(cursor, block):
            found = block.items[0]
    return found


def around_blocks(cursor: CursorContext) -> Item | None:
    """The step whose first words the cursor is in, in front of the blocks of steps that it holds."""
    for block in cursor.around:
        item = next((item for item in reversed(block.items) if item.start < cursor.offset), None)
        if item is None or cursor.offset > item.end:
            continue
        inner = item.inner
        if inner is not None and inner.items:
            words_end = (inner.bar or inner.opener).start if inner.opener is not item.first else inner.items[0].start
            return item if cursor.offset <= words_end else None
        return None
    return None


def closed_steps(cursor: CursorContext) -> Item | None:
    """The step that ends with the bracket of steps at whose end the cursor is."""
    for block in cursor.layout.blocks:
        bracket = block.parent
        close = bracket.close if block.kind == "paren" and isinstance(bracket, Bracket) else None
        if bracket and close and close.start <= cursor.offset <= close.end and bracket.owner is not None:
            return bracket.owner
    return None


def _head_start(cursor: CursorContext, block: Block) -> int:
    """Where Lean begins to show the goal that the steps of a block face."""
    if block.kind == "alternative" and block.bar is not None:
        return block.bar.start
    if block.kind in {"case", "conv"} and block.owner is not None:
        return block.owner.start
    if block.kind in {"bullet", "paren"}:
        return block.opener.end
    if block.opener.text == "<;>":
        return len(cursor.masked[: block.opener.start].rstrip())  # the goals behind the step in front
    if block.kind == "combinator" and block.opener.text != "|":
        return block.items[0].start
    return block.opener.start


def _head_end(cursor: CursorContext, block: Block) -> int:
    first = block.items[0]
    return line_end(cursor.text, block.opener.end) if first.first.leads else first.start


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
