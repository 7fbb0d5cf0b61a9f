"""Lean's word on proofs at one insertion point: on their steps, and on the whole file as it would be with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import attrs

from llmstep.lean.insertion_point import PLACEHOLDER, InsertionKind, InsertionPoint
from llmstep.lean.step import step_of
from llmstep.lean.text import line_end, masked_text
from llmstep.types import Check, Goal, Verdict

if TYPE_CHECKING:
    from llmstep.lean.trial import Trial
    from llmstep.lean.workspace import LeanWorkspace

SECONDS: Final = 60.0
"""Longest time that Lean gets for a written proof."""
_NUMBER: Final = re.compile(r"\?[mu]\.\d+")


def join(steps: Sequence[str]) -> str:
    """The steps one below the other. One that leaves several goals is followed by the steps for the first of them."""
    return "\n".join(step_of(step).text for step in steps)


@attrs.define(eq=False)
class Judge:
    """Judges proofs at one insertion point."""

    lean: LeanWorkspace
    """Runs them."""
    uri: str
    """Address of the file."""
    text: str
    point: InsertionPoint
    """Where the proofs go."""
    goal: Goal
    """The goals there."""
    finish: bool = attrs.field(init=False)
    """Whether a proof has to close all goals there, see `must_finish`."""
    refused: int = attrs.field(init=False, default=0)
    """Number of proofs that the whole file did not take."""
    _before: Counter[str] | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.finish = must_finish(self.text, self.point)

    @property
    def root(self) -> tuple[str, ...]:
        """The goals that a proof has to close."""
        return (self.goal.text, *self.goal.others) if self.finish else (self.goal.text,)

    def own(self, goals: Sequence[str]) -> tuple[str, ...]:
        """Those of the goals behind a proof that it had to close and did not."""
        return tuple(goals) if self.finish else own_goals(goals, self.goal)

    async def left(self, proofs: Iterable[Sequence[str]]) -> list[tuple[Check, tuple[str, ...] | None]]:
        """What Lean says of each proof, given as its steps, and the goals that are left of `root`.

        The goals are None where Lean refuses the steps or does not answer in time.

        Raises:
            LeanError: Lean cannot be started.
        """
        checks = await self.lean.check(self.uri, self.text, self.point, [join(steps) for steps in proofs])
        return [(check, self._left(check)) for check in checks]

    def _left(self, check: Check) -> tuple[str, ...] | None:
        if not check.verdict.accepted:
            return None
        if self.finish:
            return check.goals
        return () if check.verdict is Verdict.CLOSES else self.own(check.goals) or None

    async def refusal(self, proof: str) -> str | None:
        """Why a proof as a model writes it does not count; None where Lean takes it, here and in the whole file.

        Raises:
            LeanError: Lean does not answer.
        """
        [check] = await self.lean.check(self.uri, self.text, self.point, [proof], seconds=SECONDS)
        closed = check.verdict is Verdict.CLOSES or (check.verdict is Verdict.PROGRESS and check.goals == ())
        if not closed or (self.finish and check.goals):
            return check.message or "It leaves goals."
        return None if await self.accepts((proof,)) else "Lean reports an error in the whole file."

    async def trial(self, proof: str) -> Trial:
        """What Lean has against the parts of a proof."""
        return await self.lean.trial(self.uri, self.text, self.point, proof, SECONDS)

    async def accepts(self, steps: Sequence[str]) -> bool:
        """Whether the whole file has no error with the proof that it does not have with `sorry` in its place.

        Raises:
            LeanError: Lean cannot be started or does not answer.
        """
        if self._before is None:
            self._before = await self._errors(PLACEHOLDER)
        accepted = not (await self._errors(join(steps)) - self._before)
        self.refused += not accepted
        return accepted

    async def _errors(self, proof: str) -> Counter[str]:
        """How often each message comes; the numbers of metavariables differ between runs."""
        messages = await self.lean.errors(self.uri, self.point.apply(self.text, proof))
        return Counter(_NUMBER.sub("?", message) for message in messages)


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
