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
from llmstep.lean.cursor_places import around_blocks, closed_steps, first_of_block, unfinished_step, unsolved_block
from llmstep.lean.insertion_point import InsertionKind, InsertionPoint, ShadowText
from llmstep.lean.step_words import CHOICES
from llmstep.lean.text import line_end
from llmstep.lean.tokens import Token
from llmstep.lean.words import replaced_step, replaced_word

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
    start, end = cursor.line
    blank = not cursor.masked[start:end].strip()
    for rule in _BLANK_RULES if blank else _RULES:
        if points := rule(cursor):
            first = points[0].placeholder  # not behind a `conv` block
            return [point for point in points if point.placeholder == first][:MAX_POINTS]
    return []


def _unsolved(cursor: CursorContext) -> list[InsertionPoint]:
    """Where Lean says that goals are left at the end of a block: behind its last step."""
    item = unsolved_block(cursor)
    return [_after(cursor, item)] if item else []


def _opener(cursor: CursorContext) -> list[InsertionPoint]:
    """At what opens a block: in front of its first step."""
    item = first_of_block(cursor)
    return [_before(cursor, item)] if item else []


def _head(cursor: CursorContext) -> list[InsertionPoint]:
    """In the first words of a step with blocks of steps: Lean shows the goal that the whole step faces."""
    item = around_blocks(cursor)
    return [_before(cursor, item)] if item else []


def _closer(cursor: CursorContext) -> list[InsertionPoint]:
    """At the bracket that ends a block of steps: behind it."""
    item = closed_steps(cursor)
    while item and item.block.owner and not cursor.is_scope(item.block) and item is item.block.items[-1]:
        item = item.block.owner
    return [_after(cursor, item)] if item else []


def _unfinished(cursor: CursorContext) -> list[InsertionPoint]:
    """In place of a step that is typed only in part; every candidate begins with what is there, if that is one line."""
    found = unfinished_step(cursor)
    if found is None:
        return []
    item, end = found
    written = cursor.text[item.start : end]
    prefix = "" if "\n" in written else written
    return [replaced_step(cursor, InsertionKind.UNFINISHED, item, end, prefix=prefix)]


def _filled_block(cursor: CursorContext) -> list[InsertionPoint]:
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
        return [_line_point(cursor, block, column, anchors)]
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


def _line_point(cursor: CursorContext, block: Block, column: int, anchors: Sequence[int]) -> InsertionPoint:
    start, end = cursor.line
    kind = InsertionKind.LINE if block.items else InsertionKind.BLOCK
    probe = {} if block.items else {"column": None if block.kind != "combinator" else _limit(cursor, block)}
    comment = cursor.comment_line()
    if comment is not None:  # it stays
        below = "\n" + " " * column
        return cursor.block_point(kind, comment, comment, block, lead=below, indent=column, anchors=anchors, **probe)
    return cursor.block_point(kind, start, end, block, lead=" " * column, indent=column, anchors=anchors, **probe)


def _dangling(cursor: CursorContext) -> list[InsertionPoint]:
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


def _blank_line(cursor: CursorContext) -> list[InsertionPoint]:
    """Fills a blank line, in the block that its blanks reach, else in the block of the step before."""
    last = cursor.last_token
    if last is None:
        return []
    column = cursor.blanks
    far = cursor.text.count("\n", last.end, cursor.offset) > 1
    open_blocks = [block for block in cursor.around if block.items and not _crosses(block, cursor.offset)]
    finished = [block for block in open_blocks if block.kind == "conv" and block.inline]
    blocks = [block for block in open_blocks if cursor.is_scope(block) and block not in finished]
    ends = not any(token.start > cursor.offset for token in cursor.layout.tokens)
    unfinished = any(cursor.is_unsolved(block) for block in blocks)
    if far and ends and not unfinished and not any(block.column <= column for block in blocks):
        return []  # the proof ended above

    def rank(block: Block) -> tuple[bool, bool, int]:
        fits = block.column <= column if column else True
        return (not cursor.is_unsolved(block), not fits, -block.column if fits else block.column)

    if not blocks and open_blocks:
        blocks = open_blocks[-1:]
    points = [_line_point(cursor, block, block.column, _anchors(cursor, block)) for block in sorted(blocks, key=rank)]
    return points or _after_step(cursor)


def _anchors(cursor: CursorContext, block: Block) -> tuple[int, ...]:
    """Where Lean shows the goals of a blank line: at the column of its block, or behind the step before."""
    start, end = cursor.line
    if end - start == block.column == cursor.blanks:
        return (end,)
    before = next((item for item in reversed(block.items) if item.end <= cursor.offset), None)
    return () if before is None or cursor.ends_inside(before) else (before.end,)


def _crosses(block: Block, offset: int) -> bool:
    """A step of the block begins before `offset` and goes on behind it."""
    return any(item.start < offset < item.end for item in block.items)


def _before_step(cursor: CursorContext) -> list[InsertionPoint]:
    """At the first column of a step, or in its indentation."""
    tokens = cursor.line_tokens
    first: Token | None = tokens[0] if tokens and cursor.offset <= tokens[0].start else None
    here = first or next((token for token in tokens if token.start == cursor.offset), None)
    item = cursor.item_at(here) if here else None
    return [] if item is None else [_before(cursor, item)]


def _before(cursor: CursorContext, item: Item) -> InsertionPoint:
    block = item.block
    opens = item is block.items[0] and (block.kind == "bullet" or (block.inline and block.parent is None))
    below = item.first.leads or opens
    tail = "\n" + " " * item.first.column if below else "; "
    if block.opener.text == "<;>":
        tail = " <;> "
    return cursor.block_point(
        InsertionKind.BEFORE, item.start, item.start, block, tail=tail, indent=item.first.column, anchors=(item.start,)
    )


def _after_step(cursor: CursorContext) -> list[InsertionPoint]:
    """Inside a step or at its end; if that ends a block, behind the block as well."""
    points: list[InsertionPoint] = []
    inner: Item | None = None
    for block in cursor.around:
        item = next((item for item in reversed(block.items) if item.start < cursor.offset), None)
        if item is None or not (cursor.is_scope(block) or item is not block.items[-1]):
            continue
        if inner is None or item.end == inner.end:
            points.append(_after(cursor, item))
            inner = item
        else:
            break
    return _with_goal_before(cursor, points)


def _with_goal_before(cursor: CursorContext, points: list[InsertionPoint]) -> list[InsertionPoint]:
    """Inside of a step that leaves no goal Lean shows the one in front of it; so does it where the step fails."""
    item = next((item for block in cursor.around for item in reversed(block.items) if item.start < cursor.offset), None)
    alternative = item is not None and item.block.owner is not None and item.block.owner.head in CHOICES
    if item is None or (cursor.offset > item.end and not alternative):
        return points
    if item.inner is None and "\n" not in (written := cursor.text[item.start : item.end]):
        prefix = "" if written[-1] in ")]}⟩" else written
        step = replaced_step(cursor, InsertionKind.UNFINISHED, item, item.end, prefix=prefix)
        if any(item.start <= error < item.end for error in cursor.errors):
            return [step, *points]
        points = [*points, attrs.evolve(step, mends=True)]
    if cursor.offset == item.end and not alternative:
        return points
    before = _before(cursor, item)
    outside = cursor.is_scope(item.block) or (item.block.kind == "combinator" and not alternative)
    return [*points, before] if outside else [before, *points]


def _after(cursor: CursorContext, item: Item) -> InsertionPoint:
    block, end = item.block, item.end
    if not cursor.blank_after(end):
        return cursor.block_point(InsertionKind.AFTER, end, end, block, lead="; ", anchors=(end,))
    margin = line_end(cursor.text, end)
    at = end if "/-" in cursor.text[end:margin] else margin
    blanks = end if cursor.text[end:margin].strip() == "" else at
    lead = "\n" + " " * block.column
    anchors = () if cursor.ends_inside(item) else (end,)
    return cursor.block_point(InsertionKind.AFTER, min(blanks, at), at, block, lead=lead, anchors=anchors)


_BLANK_RULES = (_filled_block, _dangling, _unfinished, _head, _blank_line)
_RULES = (
    *(replaced_word, _unsolved, _filled_block, _opener, _dangling, _unfinished),
    *(_before_step, _head, _closer, _after_step),
)
