"""Lean's word on proofs at one insertion point: on their steps, and on the whole file as it would be with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from llmstep.lean.insertion_point import PLACEHOLDER, InsertionPoint
from llmstep.search.script import join, must_finish, own_goals
from llmstep.types import Check, Goal, Verdict

if TYPE_CHECKING:
    from llmstep.lean.workspace import LeanWorkspace

_NUMBER = re.compile(r"\?[mu]\.\d+")


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

    async def left(self, proofs: Iterable[Sequence[str]]) -> list[tuple[Check, tuple[str, ...] | None]]:
        """What Lean says of each proof, given as its steps, and the goals that are left of `root`.

        The goals are None where Lean refuses the steps or does not answer in time.

        Raises:
            LeanError: Lean cannot be started.
        """
        scripts = [join(steps) for steps in proofs]
        checks = await self.lean.check(self.uri, self.text, self.point, scripts)
        return [(check, self._left(check)) for check in checks]

    def _left(self, check: Check) -> tuple[str, ...] | None:
        if not check.verdict.accepted:
            return None
        if self.finish:
            return check.goals
        return () if check.verdict is Verdict.CLOSES else own_goals(check.goals, self.goal) or None

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
