"""Where a candidate goes, found from the cursor by the layout of the text alone.

The rules work on text that does not parse. Where text does not decide (is this bullet finished?), there are several
insertion points, and the first at which Lean has a goal is the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from llmstep.lean.blocks import Block, Item
from llmstep.lean.cursor_context import CursorContext
from llmstep.lean.filling import dangling, filled_block, line_point, replaced_step, replaced_word, unfinished_step
from llmstep.lean.insertion_point import InsertionKind, InsertionPoint, ShadowText
from llmstep.lean.step_words import CHOICES, REWRITES
from llmstep.lean.text import line_end

if TYPE_CHECKING:
    from lsprotocol.types import Diagnostic, Position

MAX_POINTS = 8
"""Most places that are tried."""

__all__ = ["InsertionKind", "InsertionPoint", "ShadowText", "find_insertion_point", "find_insertion_points"]


def find_insertion_point(
    text: str, position: Position, diagnostics: Sequence[Diagnostic] = ()
) -> InsertionPoint | None:
    """The likeliest place for a candidate at a position; None in a statement, a comment or outside of proofs.

    Args:
        diagnostics: Those of the document, where known: unsolved goals show which block is unfinished.
    """
    return next(iter(find_insertion_points(text, position, diagnostics)), None)


def find_insertion_points(
    text: str, position: Position, diagnostics: Sequence[Diagnostic] = ()
) -> list[InsertionPoint]:
    """All places that may be meant, the likeliest first: take the first at which Lean has a goal."""
    cursor = CursorContext.at(text, position, diagnostics)
    if cursor is None:
        return []
    for rule in _BLANK_RULES if cursor.is_blank(*cursor.line) else _RULES:
        if points := rule(cursor):
            first = points[0].placeholder  # not behind a `conv` block
            return [point for point in points if point.placeholder == first][:MAX_POINTS]
    return []


def _blank_line(cursor: CursorContext) -> list[InsertionPoint]:
    """Fills a blank line, in the block that its blanks reach, else in the block of the step before."""
    last = cursor.last_token
    if last is None:
        return []
    column = cursor.blanks
    far = cursor.text.count("\n", last.end, cursor.offset) > 1
    filled = [block for block in cursor.around if block.items]
    open_blocks = [each for each in filled if not any(item.start < cursor.offset < item.end for item in each.items)]
    blocks = [each for each in open_blocks if cursor.is_scope(each) and not (each.kind == "conv" and each.inline)]
    ends = not any(token.start > cursor.offset for token in cursor.layout.tokens)
    unfinished = any(cursor.is_unsolved(block) for block in blocks)
    if far and ends and not unfinished and not any(block.column <= column for block in blocks):
        return []  # the proof ended above

    def rank(block: Block) -> tuple[bool, bool, int]:
        fits = block.column <= column if column else True
        return (not cursor.is_unsolved(block), not fits, -block.column if fits else block.column)

    if not blocks and open_blocks:
        blocks = open_blocks[-1:]
    points = [line_point(cursor, block, block.column, _anchors(cursor, block)) for block in sorted(blocks, key=rank)]
    return points or _after_step(cursor)


def _anchors(cursor: CursorContext, block: Block) -> tuple[int, ...]:
    """Where Lean shows the goals of a blank line: at the column of its block, or behind the step before."""
    start, end = cursor.line
    if end - start == block.column == cursor.blanks:
        return (end,)
    before = next((item for item in reversed(block.items) if item.end <= cursor.offset), None)
    return () if before is None or cursor.ends_inside(before) else (before.end,)


def _before(cursor: CursorContext, item: Item) -> InsertionPoint:
    block, at, column = item.block, item.start, item.first.column
    opens = item is block.items[0] and (block.kind == "bullet" or (block.inline and block.parent is None))
    tail = "\n" + " " * column if item.first.leads or opens else "; "
    if block.opener.text == "<;>":
        tail = " <;> "
    return cursor.block_point(InsertionKind.BEFORE, at, at, block, tail=tail, indent=column, anchors=(at,))


def _after_step(cursor: CursorContext) -> list[InsertionPoint]:
    """Inside a step or at its end; if that ends a block, behind the block as well."""
    points: list[InsertionPoint] = []
    behind: list[InsertionPoint] = []  # the proof around the cursor, inside of another one
    inner: Item | None = None
    left = False
    for block in cursor.around:
        item = cursor.step_before(block)
        if item is not None and (cursor.is_scope(block) or item is not block.items[-1]):
            if inner is not None and item.end != inner.end:
                break
            (behind if left else points).append(_after(cursor, item))
            inner = item
        left |= block.kind == "by"
    return _with_goal_before(cursor, points, behind)


def _with_goal_before(
    cursor: CursorContext, points: list[InsertionPoint], behind: list[InsertionPoint]
) -> list[InsertionPoint]:
    """Inside of a step that leaves no goal Lean shows the one in front of it; so does it where the step fails."""
    item = next(filter(None, map(cursor.step_before, cursor.around)), None)
    alternative = item is not None and item.block.owner is not None and item.block.owner.head in CHOICES
    if item is None or (cursor.offset > item.end and not alternative):
        return [*points, *behind]
    instead: list[InsertionPoint] = []
    if item.inner is None and "\n" not in (written := cursor.text[item.start : item.end]):
        prefix = "" if written[-1] in ")]}⟩" else written
        step = replaced_step(cursor, InsertionKind.UNFINISHED, item, item.end, prefix=prefix)
        if any(item.start <= error < item.end for error in cursor.errors):
            return [step, *points, *behind]
        instead = [attrs.evolve(step, mends=True)]
    if cursor.offset == item.end and not alternative:
        return [*points, *behind, *instead]
    before = _before(cursor, item)
    scope = cursor.is_scope(item.block) or (item.block.kind == "combinator" and not alternative)
    if not scope or _is_at_head(cursor, item):
        return [before, *points, *behind, *instead]
    return [*points, *instead, before, *behind]


def _is_at_head(cursor: CursorContext, item: Item) -> bool:
    """Whether the cursor is in the first part of a step, where Lean shows what the step faces.

    That is what stands in front of `by` in `have h : p := by`, of the rules of `rw`, and of the lines below `calc`.
    """
    if item.head == "have":
        proofs = (each.opener.start for each in cursor.layout.blocks if each.kind == "by" and each.owner is item)
        by = next(proofs, item.start)
        return cursor.offset < by and cursor.masked[:by].rstrip().endswith(":=")
    second = next(iter(cursor.tokens_between(item.first.end, item.end)), item.first)
    if item.head == "calc":
        return second.leads and cursor.offset <= second.start
    return item.head in REWRITES and second.text == "[" and cursor.offset <= second.end


def _after(cursor: CursorContext, item: Item) -> InsertionPoint:
    block, end = item.block, item.end
    if not cursor.blank_after(end):
        return cursor.block_point(InsertionKind.AFTER, end, end, block, lead="; ", anchors=(end,))
    margin = line_end(cursor.text, end)
    behind = cursor.text[end:margin]
    at = end if "/-" in behind else margin
    lead = "\n" + " " * block.column
    anchors = () if cursor.ends_inside(item) else (end,)
    start = at if behind.strip() else end
    return cursor.block_point(InsertionKind.AFTER, start, at, block, lead=lead, anchors=anchors)


def _unsolved(cursor: CursorContext) -> list[InsertionPoint]:
    """Where Lean says that goals are left at the end of a block: behind its last step."""
    blocks = [block for block in cursor.layout.blocks if cursor.is_unsolved(block) and cursor.is_at(block.mark)]
    return [_after(cursor, block.items[-1]) for block in blocks if block.items][-1:]


def _opener(cursor: CursorContext) -> list[InsertionPoint]:
    """At what opens a block: in front of its first step."""
    blocks = [block for block in cursor.layout.blocks if block.items and _opens(cursor, block)]
    return [_before(cursor, block.items[0]) for block in blocks[-1:]]


def _opens(cursor: CursorContext, block: Block) -> bool:
    """Whether the cursor is between where Lean begins to show the goal that a block faces, and its first step."""
    opener, first = block.opener, block.items[0].first
    start = opener.start
    if block.kind == "alternative" and block.bar is not None:
        start = block.bar.start
    elif block.kind in {"case", "conv"} and block.owner is not None:
        start = block.owner.start
    elif block.kind in {"bullet", "paren"}:
        start = opener.end
    elif opener.text == "<;>":
        start = len(cursor.masked[:start].rstrip())  # the goals behind the step in front
    elif block.kind == "combinator" and opener.text != "|":
        start = first.start
    return start <= cursor.offset <= (line_end(cursor.text, opener.end) if first.leads else first.start)


def _head(cursor: CursorContext) -> list[InsertionPoint]:
    """In the first words of a step with blocks of steps: Lean shows the goal that the whole step faces."""
    items = (cursor.step_before(block) for block in cursor.around)
    item = next((item for item in items if item and cursor.offset <= item.end), None)
    inner = item.inner if item else None
    if item is None or inner is None or not inner.items:
        return []
    words_end = (inner.bar or inner.opener).start if inner.opener is not item.first else inner.items[0].start
    return [_before(cursor, item)] if cursor.offset <= words_end else []


def _closer(cursor: CursorContext) -> list[InsertionPoint]:
    """At the bracket that ends a block of steps: behind it."""
    closed = (block for block in cursor.layout.blocks if block.mark is not block.opener and cursor.is_at(block.mark))
    block = next(closed, None)
    item = block.owner if block else None
    while item and item.block.owner and not cursor.is_scope(item.block) and item is item.block.items[-1]:
        item = item.block.owner
    return [_after(cursor, item)] if item else []


def _before_step(cursor: CursorContext) -> list[InsertionPoint]:
    """At the first column of a step, or in its indentation."""
    _, end = cursor.line
    here = next(iter(cursor.tokens_between(cursor.offset, end)), None)
    if here is None or not (here.leads or here.start == cursor.offset):
        return []
    return [_before(cursor, item) for item in cursor.layout.items if item.first is here]


_BLANK_RULES = (filled_block, dangling, unfinished_step, _head, _blank_line)
_RULES = (
    *(replaced_word, _unsolved, filled_block, _opener, dangling, unfinished_step),
    *(_before_step, _head, _closer, _after_step),
)
