"""Where the steps that a search tries come from: a model, a fixed list of tactics, or both."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

import attrs

from llmstep.lean.step import inserted
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.types import Goal, Premise, PromptInput, SamplingParams

if TYPE_CHECKING:
    from llmstep.engine.interface import ModelEngine

_WARMER: Final = 0.1
"""The temperature rises by this each time that a model is asked again."""
_WARMEST: Final = 0.5
"""The most that it rises."""


@attrs.frozen
class Proposal:
    """A step to be tried."""

    tactic: str
    logprob: float
    """Sum of the log-probabilities of its tokens, or what stands for it."""


@attrs.define(eq=False)
class Proposer:
    """Proposes distinct steps, the likeliest first."""

    engine: ModelEngine | None
    """The model, with its own probabilities; None for fixed tactics alone."""
    sampling: SamplingParams = SamplingParams()
    """How to draw, for each goal."""
    fixed: Sequence[str] = ()
    """Tactics for every goal, all equally likely; with a model each is believed half."""
    premises: Callable[[Goal, str], Awaitable[tuple[Premise, ...]]] | None = None
    """Finds premises for a goal and the steps of the search that lead to it, for models that read some."""
    progress: ProgressSink = silent
    """Called when the model is downloaded or loaded."""
    model: str | None = attrs.field(init=False, default=None)
    """Name of the model that answered last."""

    @property
    def varied(self) -> bool:
        """Whether others may come when it is asked again; greedy decoding has one answer."""
        return self.engine is not None and self.sampling.temperature > 0

    async def propose(self, prompt_input: PromptInput, steps: str = "", again: int = 0) -> list[Proposal]:
        """
        Args:
            prompt_input: What a model is asked at the state.
            steps: The steps of the search that lead to it; the file does not have them.
            again: How often steps were proposed for it before.

        Raises:
            ModelError: The model cannot be loaded or run.
            LlmstepError: The premises cannot be had.
        """
        fixed = [Proposal(tactic, -math.log(len(self.fixed))) for tactic in self.fixed]
        if self.engine is None:
            return fixed
        if self.premises is not None:
            prompt_input = attrs.evolve(prompt_input, premises=await self.premises(prompt_input.goal, steps))
        made = await self.engine.generate(prompt_input, self._warmer(again), progress=self._loading)
        self.model = made.model
        equal = -math.log(max(1, len(made.candidates)))  # for those whose probability the server does not send
        drawn = [
            Proposal(each.text, equal if each.score is None else each.score * each.tokens) for each in made.candidates
        ]
        return mixed(drawn, fixed) if fixed else _likeliest_first(drawn)

    def _warmer(self, again: int) -> SamplingParams:
        """Another draw each time, a little more daring: the likeliest steps have been tried."""
        if not again:
            return self.sampling
        temperature = self.sampling.temperature + min(again * _WARMER, _WARMEST)
        return attrs.evolve(self.sampling, seed=(self.sampling.seed or 0) + again, temperature=temperature)

    def _loading(self, update: Progress) -> None:
        if update.stage in ("download", "load"):
            self.progress(update)


def mixed(*parts: Sequence[Proposal]) -> list[Proposal]:
    """The proposals of several sources: the probability of a step is the mean of theirs, 0 for one not proposed."""
    shares: dict[str, float] = {}
    for part in parts:
        for each in part:
            step = inserted(each.tactic)
            shares[step] = shares.get(step, 0.0) + math.exp(each.logprob) / len(parts)
    return _likeliest_first(
        [Proposal(tactic, math.log(share) if share else -math.inf) for tactic, share in shares.items()]
    )


def _likeliest_first(proposals: Sequence[Proposal]) -> list[Proposal]:
    return sorted(proposals, key=lambda each: -each.logprob)
