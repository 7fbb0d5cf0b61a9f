"""Expands a state: steps from a proposer for its first goal, each run by Lean behind those that lead to the state."""

from __future__ import annotations

import attrs

from llmstep.automation.source import MissingTactics
from llmstep.lean.asking import proof_so_far
from llmstep.lean.text import offset_at
from llmstep.printable import strange_character
from llmstep.search.best_first import Step
from llmstep.search.judge import Judge, join
from llmstep.search.proposals import Proposer
from llmstep.types import Goal, PromptInput


@attrs.define(eq=False)
class LeanExpander:
    """The states of a proof at one insertion point.

    A finished proof that the whole file does not take leads nowhere, and the search goes on.
    """

    _judge: Judge
    """Runs the steps."""
    _proposer: Proposer
    _missing: MissingTactics = attrs.field(factory=MissingTactics)
    _written: str = attrs.field(init=False)
    """The steps of the proof that stand before the insertion point."""

    def __attrs_post_init__(self) -> None:
        self._written = proof_so_far(self._judge.text, self._judge.point)

    @property
    def varied(self) -> bool:
        """See `Expander`."""
        return self._proposer.varied

    async def expand(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int = 0) -> list[Step]:
        """Steps are run in their order until one finishes the proof: none behind it makes a shorter one.

        Raises:
            ModelError: The model cannot be loaded or run.
            LeanError: Lean does not answer.
        """
        found: list[Step] = []
        uri, steps = self._judge.uri, join(proof)
        for proposal in await self._proposer.propose(self._prompt_input(goals[0], steps), steps, again):
            steps_to = (*proof, proposal.tactic)
            if self._missing(uri, proposal.tactic) or strange_character(proposal.tactic.replace("\r\n", "\n")):
                continue  # joined with others, it would lose its carriage returns
            [(check, left)] = await self._judge.left([steps_to])
            self._missing.learn(uri, proposal.tactic, check)
            if left == () and not await self._judge.accepts(steps_to):
                left = None
            found.append(Step(proposal.tactic, proposal.logprob, left))
            if left == ():
                break
        return found

    async def shortened(self, proof: tuple[str, ...]) -> tuple[str, ...]:
        """A finished proof without the steps that it does not need."""
        while len(proof) > 1:
            parts = [proof[:index] + proof[index + 1 :] for index in range(len(proof))]
            judged = await self._judge.left(parts)
            enough = [part for part, (_, left) in zip(parts, judged, strict=True) if left == ()]
            if not enough:
                break
            proof = min(enough, key=lambda part: sum(map(len, part)))
        return proof

    def _prompt_input(self, goal: str, steps: str) -> PromptInput:
        """What a model is asked behind steps of the search."""
        text, point = self._judge.text, self._judge.point
        before = text[: point.start]
        if steps:
            shadow = point.shadow_text(text, steps)
            before = shadow.text[: offset_at(shadow.text, shadow.end)] + "\n"
        proof = "\n".join(part for part in (self._written, steps) if part)
        return PromptInput(Goal(goal), context=before, declaration=point.declaration.name, proof=proof)
