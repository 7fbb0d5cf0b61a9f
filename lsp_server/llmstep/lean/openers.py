"""A cursor at what opens or closes a block that has steps, or in the first words of a step around blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.lean.blocks import Block, Bracket, Item
from llmstep.lean.text import line_end

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
