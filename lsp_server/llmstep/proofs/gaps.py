"""Makes of a proof that Lean refuses one that it takes, with `sorry` where the errors are.

The step around an error becomes `sorry`; of `have h : T := …` only what stands behind the `:=`. A case that is missing
is added; a block that leaves goals gets one `sorry` for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import attrs

from llmstep.lean.blocks import Block, Item
from llmstep.lean.cursor_context import CursorContext
from llmstep.lean.text import position_at
from llmstep.lean.tokens import CLOSING, OPENING, tokenize

if TYPE_CHECKING:
    from llmstep.lean.trial import Fault, Trial

_GAP: Final = "sorry"
_MISSING: Final = re.compile(r"Alternative `([^`]+)` has not been provided")
_MISSING_CASES: Final = re.compile(r"Missing cases:\n((?:.+\n?)+)")
_NO_GOALS: Final = re.compile(r"No goals to be solved|no goals", re.IGNORECASE)
_WITH_VALUE: Final = frozenset({"have", "obtain", "let", "rcases", "haveI", "letI", "replace", "suffices", "show"})
_MAX_CASES: Final = 8


@attrs.frozen
class _Edit:
    start: int
    end: int
    new: str


def with_gaps(trial: Trial, indent: str, left: int) -> str | None:
    """The proof of a trial with a gap for each fault; None where text does not show how.

    One call does not make all of it right: what stands behind a fault may have faults that Lean has not seen.

    Args:
        indent: What the lines of the proof but the first begin with.
        left: Number of goals that are open behind the proof.
    """
    cursor = CursorContext.at(trial.document, position_at(trial.document, trial.start), ())
    if cursor is None:
        return None
    found = [_edit(cursor, trial, fault) for fault in trial.faults]
    edits = [edit for edit in found if edit is not None]
    if len(edits) < len(found):
        return None
    if not edits and left:
        edits = [_Edit(trial.end, trial.end, f"\n{indent}{_GAP}" * left)]
    return unindented(_applied(trial, edits), indent)


def unindented(proof: str, indent: str) -> str:
    """A proof as it stands in a file without the indentation of its place."""
    first, *rest = proof.replace("\r\n", "\n").split("\n")
    return "\n".join([first, *(line.removeprefix(indent) if line.strip() else "" for line in rest)])


def _applied(trial: Trial, edits: Iterable[_Edit]) -> str:
    """The proof after edits; of two that overlap the wider holds, and of equals the first."""
    text = trial.document[: trial.end]
    kept: list[_Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start - edit.end, edit.start)):
        if not any(edit.start < other.end and other.start < max(edit.end, edit.start + 1) for other in kept):
            kept.append(edit)
    for edit in sorted(kept, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text[trial.start :]


def _edit(cursor: CursorContext, trial: Trial, fault: Fault) -> _Edit | None:
    if fault.unsolved:
        block = _block_at(cursor, fault.start)
        return None if block is None else _filled(block, fault.unsolved)
    item = _item_at(cursor, trial, fault.start)
    if item is None:
        return None
    if missing := _MISSING.search(fault.message):
        return _added(cursor, item, [missing[1]])
    if cases := _MISSING_CASES.search(fault.message):
        return _added(cursor, item, [line.strip() for line in cases[1].splitlines() if line.strip()])
    if _NO_GOALS.search(fault.message) and item.start == fault.start:
        # Without the step that finds no goal, and those behind it; there is nothing to be done where it is the first.
        items = item.block.items
        number = items.index(item)
        return _Edit(items[number - 1].end, items[-1].end, "") if number else None
    return _replaced(cursor, item, fault)


def _block_at(cursor: CursorContext, offset: int) -> Block | None:
    """The block whose opener stands at an offset, else the innermost around it."""
    blocks = cursor.layout.blocks
    opened = [each for each in blocks if offset == each.opener.start or (each.bar and offset == each.bar.start)]
    if opened:
        return opened[-1]
    around = [each for each in blocks if each.opener.start <= offset < each.end]
    return max(around, key=lambda block: block.depth, default=None)


def _filled(block: Block, count: int) -> _Edit:
    """Gaps behind the last step of a block, one for each goal that it leaves."""
    if not block.items:
        return _Edit(block.opener.end, block.opener.end, " " + "; ".join([_GAP] * count))
    end = block.items[-1].end
    join = "; " if block.inline and len(block.items) == 1 else "\n" + " " * block.column
    return _Edit(end, end, (join + _GAP) * count)


def _item_at(cursor: CursorContext, trial: Trial, offset: int) -> Item | None:
    """The innermost step of the proof around an offset, else the last that begins in front of it."""
    items = [item for block in cursor.layout.blocks for item in block.items if trial.start <= item.start < trial.end]
    around = [item for item in items if item.start <= offset < item.end]
    if around:
        return max(around, key=lambda item: (item.block.depth, item.start))
    return max((item for item in items if item.start <= offset), key=lambda item: item.start, default=None)


def _added(cursor: CursorContext, item: Item, patterns: list[str]) -> _Edit:
    """Alternatives behind the last one of a step."""
    bars = [block.bar for block in cursor.layout.blocks if block.owner is item and block.bar is not None]
    column = next((bar.column for bar in bars if bar.leads), item.first.column)
    new = "".join(f"\n{' ' * column}| {pattern} => {_GAP}" for pattern in patterns[:_MAX_CASES])
    return _Edit(item.end, item.end, new)


def _replaced(cursor: CursorContext, item: Item, fault: Fault) -> _Edit | None:
    text = cursor.text[item.start : item.end]
    if text == _GAP:
        return None
    if item.head in _WITH_VALUE:
        value = _value(cursor, item)
        if value is not None and value <= fault.start < item.end and cursor.text[value : item.end].strip() != _GAP:
            return _Edit(value, item.end, f" {_GAP}")
    return _Edit(item.start, item.end, _GAP)


def _value(cursor: CursorContext, item: Item) -> int | None:
    """Offset behind the `:=` (or `from`, `by`) of a step that says the type of its value."""
    depth, typed = 0, item.head in {"suffices", "show"}
    for token in tokenize(cursor.masked, item.start, item.end):
        depth += (token.text in OPENING) - (token.text in CLOSING)
        if depth:
            continue
        typed = typed or token.text == ":"
        if typed and token.text == ":=":
            return token.end
        if item.head in {"suffices", "show"} and token.text in {"from", "by"}:
            return token.end if token.text == "from" else None
    return None
