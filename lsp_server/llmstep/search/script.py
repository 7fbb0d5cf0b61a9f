"""Proof scripts: steps joined to one text for one place, and what of the goals there it has to close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmstep.lean.insertion_point import InsertionKind, InsertionPoint
from llmstep.lean.step import step_of
from llmstep.lean.text import line_end, masked_text

if TYPE_CHECKING:
    from llmstep.types import Goal


def join(steps: Sequence[str]) -> str:
    """The steps one below the other. One that leaves several goals is followed by the steps for the first of them."""
    return "\n".join(step_of(step).text for step in steps)


def must_finish(text: str, point: InsertionPoint) -> bool:
    """Whether a proof at an insertion point has to close all goals there, and not only the main one.

    It has to behind the last step of a block. In place of a `sorry`, or with steps behind it, the other goals are
    proved elsewhere.
    """
    if point.kind not in {InsertionKind.LINE, InsertionKind.BLOCK, InsertionKind.AFTER}:
        return False
    masked = masked_text(text)
    end = line_end(text, point.end)
    if masked[point.end : end].strip():
        return False
    following = next((line for line in masked[end:].split("\n") if line.strip()), "")
    column = 0 if point.column is None else point.column
    return point.column is None or len(following) - len(following.lstrip()) < column


def own_goals(left: Sequence[str], goal: Goal) -> tuple[str, ...]:
    """The goals in `left` without those behind the main one, which a proof of the main goal need not close."""
    own, others = list(left), list(goal.others)
    while own and others and own[-1] == others[-1]:
        own.pop()
        others.pop()
    return tuple(own)
