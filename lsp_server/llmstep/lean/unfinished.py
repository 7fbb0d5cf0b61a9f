"""Places where something is missing: a block without steps, a `:=` without a term, a step typed only in part."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from llmstep.lean.blocks import Block, Item, begins_step
from llmstep.lean.cursor_context import CursorContext
from llmstep.lean.insertion_point import InsertionKind, InsertionPoint
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
from llmstep.lean.tokens import CLOSING, Token
from llmstep.lean.words import replaced_step

_LONGEST_NAME: Final = 200


def filled_block(cursor: CursorContext) -> list[InsertionPoint]:
    """A block without steps, from its opener to the blank lines behind."""
    empty = [
        block
        for block in cursor.layout.blocks
        if not block.items and block.opener.start <= cursor.offset <= max(block.end, block.opener.end)
    ]
    if not empty:
        return []
    block = empty[-1]
    start, end = cursor.line
    anchors = (cursor.offset, block.opener.end, block.opener.start)
    if block.opener.end < start and not cursor.masked[start:end].strip():  # on a blank line behind
        column = cursor.blanks if cursor.blanks > _limit(cursor, block) else block.hang
        return [line_point(cursor, block, column, anchors)]
    after = block.opener.end
    if not cursor.blank_after(after):  # `(by )`, `⟨by, …⟩`
        behind = after + len(cursor.text[after:end]) - len(cursor.text[after:end].lstrip())
        lead = "" if block.kind == "paren" else " "
        tail = "" if cursor.text[behind] in ")]}⟩,;" else " "  # `then … else`
        more = {"lead": lead, "tail": tail, "indent": block.opener.column + 3}
        return [cursor.block_point(InsertionKind.BLOCK, after, behind, block, column=None, anchors=anchors, **more)]
    comment = cursor.text[after:end].strip() != ""
    if block.opener.text in {"by", "then", "else"}:
        at = (end, end) if comment else (after, end)
        return [cursor.block_point(InsertionKind.BLOCK, *at, block, lead="\n" + " " * block.hang, anchors=anchors)]
    at = (after, after) if comment else (after, end)
    below = "\n" + " " * block.hang if block.opener.text == "=>" else None
    lead = "" if block.kind == "paren" else " "
    indent = block.opener.column + len(block.opener.text) + 1 if block.kind == "combinator" else block.hang
    kind = InsertionKind.BLOCK
    return [cursor.block_point(kind, *at, block, lead=lead, long_lead=below, indent=indent, anchors=anchors)]


def _limit(cursor: CursorContext, block: Block) -> int:
    """The steps of a block stand to the right of this column."""
    outer = block.parent.block if block.parent else None
    return cursor.declaration.column if outer is None else outer.column


def line_point(cursor: CursorContext, block: Block, column: int, anchors: Sequence[int]) -> InsertionPoint:
    """On the cursor's line, at a column, or below the comment that it holds."""
    start, end = cursor.line
    kind = InsertionKind.LINE if block.items else InsertionKind.BLOCK
    probe = {} if block.items else {"column": None if block.kind != "combinator" else _limit(cursor, block)}
    comment = cursor.comment_line()
    if comment is not None:  # it stays
        below = "\n" + " " * column
        return cursor.block_point(kind, comment, comment, block, lead=below, indent=column, anchors=anchors, **probe)
    return cursor.block_point(kind, start, end, block, lead=" " * column, indent=column, anchors=anchors, **probe)


def dangling(cursor: CursorContext) -> list[InsertionPoint]:
    """Behind a `:=` without a term, or a `;` without a step."""
    token = cursor.last_token
    if token is None or token.text not in {":=", ";"} or not cursor.blank_after(token.end):
        return []
    start, end = cursor.line
    blank = not cursor.masked[start:end].strip()
    comment = cursor.text[token.end : end].strip() != ""  # it stays
    if token.text == ";":
        block = next(iter(cursor.around), None)
        if block is None or blank or token.end < start:
            return []
        start, lead = (end, "\n" + " " * block.column) if comment else (token.end, " ")
        return [cursor.block_point(InsertionKind.AFTER, start, end, block, lead=lead, anchors=(token.start,))]
    following = next((other for other in cursor.layout.tokens if other.start >= token.end), None)
    block = next(iter(cursor.around), None)
    item = next((each for each in reversed(block.items) if each.start < token.start), None) if block else None
    inside = cursor.tokens_between(item.start, token.start) if item else []
    calculates = any(each.text == "calc" for each in inside)
    if item is not None and not calculates and all(each.text not in {":", ":="} for each in inside):
        return []  # no type that a proof could have
    column = block.column if block else cursor.declaration.column
    next_step = calculates and following is not None and following.leads and following.text == "_"
    if following is not None and following.column > column and not next_step:
        return []
    hang = max(column + 2, token.hang)
    lead = "\n" + " " * hang
    return [
        cursor.point(
            InsertionKind.TERM,
            token.end,
            token.end if comment else end,
            frames=(*block.frames, block) if block else (),
            anchors=(),
            lead=" by" + lead,
            indent=hang,
        )
    ]


def unfinished_step(cursor: CursorContext) -> list[InsertionPoint]:
    """In place of a step that is typed only in part; every candidate begins with what is there, if that is one line.

    The cursor is in the step, behind it, or on the line below.
    """
    start, end = cursor.line
    lines = 0 if cursor.masked[start:end].strip() else 1
    innermost = True
    for block in cursor.around:
        item = next((item for item in reversed(block.items) if item.start <= cursor.offset), None)
        if item is None:
            continue
        done = _end(cursor, item)
        between = cursor.masked[done : cursor.offset]
        near = not between.strip() and between.count("\n") <= lines
        if near and (_is_unfinished(cursor, item) if innermost else _is_open(item)):
            done = max(done, cursor.offset)
            written = cursor.text[item.start : done]
            prefix = "" if "\n" in written else written
            return [replaced_step(cursor, InsertionKind.UNFINISHED, item, done, prefix=prefix)]
        innermost = False
    return []


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
