"""Expands a state: steps from a proposer for its first goal, each run by Lean behind those that lead to the state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from llmstep.automation.tactic import MissingTactics
from llmstep.lean.text import offset_at
from llmstep.printable import strange_character
from llmstep.search.best_first import Step
from llmstep.search.proposals import ProofState, Proposer
from llmstep.search.script import join, must_finish, own_goals
from llmstep.types import Check, Goal, Verdict

if TYPE_CHECKING:
    from llmstep.lean.insertion_points import InsertionPoint
    from llmstep.lean.workspace import LeanWorkspace


@attrs.define(eq=False)
class LeanExpander:
    """The states of a proof at one insertion point."""

    _lean: LeanWorkspace
    """Runs the steps."""
    _proposer: Proposer
    _uri: str
    """Address of the file."""
    _text: str
    _point: InsertionPoint
    """Where the proof goes."""
    _goal: Goal
    """The goals there."""
    _written: str = ""
    """The steps of the proof that stand before the insertion point."""
    _accepts: Callable[[tuple[str, ...]], Awaitable[bool]] | None = None
    """The last word on a finished proof; one that is refused leads nowhere, and the search goes on."""
    _missing: MissingTactics = attrs.field(factory=MissingTactics)
    _finish: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._finish = must_finish(self._text, self._point)

    @property
    def root(self) -> tuple[str, ...]:
        """The goals that the proof has to close."""
        return (self._goal.text, *self._goal.others) if self._finish else (self._goal.text,)

    @property
    def varied(self) -> bool:
        """Whether the proposer may propose other steps when it is asked again."""
        return self._proposer.varied

    async def expand(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int = 0) -> list[Step]:
        """Steps are run in their order until one finishes the proof: none behind it makes a shorter one.

        Raises:
            ModelError: The model cannot be loaded or run.
            LeanError: Lean does not answer.
        """
        steps: list[Step] = []
        for proposal in await self._proposer.propose(self._proof_state(goals, proof, again)):
            if self._missing(self._uri, proposal.tactic) or strange_character(proposal.tactic.replace("\r\n", "\n")):
                continue  # joined with others, it would lose its carriage returns
            [check] = await self._check([(*proof, proposal.tactic)])
            self._missing.learn(self._uri, proposal.tactic, check)
            left = self._left(check)
            if left == () and self._accepts is not None and not await self._accepts((*proof, proposal.tactic)):
                left = None
            steps.append(Step(proposal.tactic, proposal.logprob, left))
            if left == ():
                break
        return steps

    async def finished(self, proofs: Sequence[tuple[str, ...]]) -> list[bool]:
        """Which of several proofs Lean accepts as finished."""
        return [self._left(check) == () for check in await self._check(proofs)]

    async def shortened(self, proof: tuple[str, ...]) -> tuple[str, ...]:
        """A finished proof without the steps that it does not need."""
        while len(proof) > 1:
            parts = [proof[:index] + proof[index + 1 :] for index in range(len(proof))]
            enough = [part for part, good in zip(parts, await self.finished(parts), strict=True) if good]
            if not enough:
                break
            proof = min(enough, key=lambda part: sum(map(len, part)))
        return proof

    async def _check(self, proofs: Sequence[tuple[str, ...]]) -> list[Check]:
        scripts = [join(proof) for proof in proofs]
        return await self._lean.check(self._uri, self._text, self._point, self._goal, scripts)

    def _left(self, check: Check) -> tuple[str, ...] | None:
        """The goals of the proof that are left; None where Lean refuses the step or does not answer in time."""
        if not check.verdict.accepted:
            return None
        if self._finish:
            return check.goals
        return () if check.verdict is Verdict.CLOSES else own_goals(check.goals, self._goal) or None

    def _proof_state(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int) -> ProofState:
        before = self._text[: self._point.start]
        steps = join(proof)
        if steps:
            shadow = self._point.shadow_text(self._text, steps)
            before = shadow.text[: offset_at(shadow.text, shadow.end)] + "\n"
        written = "\n".join(part for part in (self._written, steps) if part)
        return ProofState(goals[0], before, self._point.declaration.name, written, again, steps)
