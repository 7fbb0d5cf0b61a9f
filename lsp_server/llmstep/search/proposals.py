"""Where the steps that a search tries come from: a model, a fixed list of tactics, or both."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, Protocol

import attrs

from llmstep.lean.step import inserted
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.types import Goal, Premise, PromptInput, SamplingParams

if TYPE_CHECKING:
    from llmstep.engine.interface import ModelEngine

Tactics = Literal["model", "list", "both"]

FIXED_TACTICS: Final = (
    *("rfl", "trivial", "assumption", "contradiction", "decide", "simp", "simp_all", "omega", "grind"),
    *("solve_by_elim", "aesop", "tauto", "norm_num", "norm_num at *", "linarith", "nlinarith", "positivity", "ring"),
    *("ring_nf", "field_simp", "push_neg", "intro h", "constructor", "left", "right", "exfalso", "apply_assumption"),
    *("symm", "subst_vars", "split", "ext", "funext x", "congr", "refine ⟨_, ?_⟩"),
    *("obtain ⟨h₁, h₂⟩ := ‹_ ∧ _›", "obtain ⟨x, h⟩ := ‹∃ _, _›", "rcases ‹_ ∨ _› with h | h"),
)
"""Tactics that need no name from the goal: those that end a proof, then those that take a goal or a hypothesis apart.

Some exist in Mathlib only; an unknown one is tried once.
"""

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


@attrs.frozen
class ProofState:
    """What a step is proposed for."""

    goal: str
    """The first goal of the state, alone."""
    context: str = ""
    """The file before the step."""
    declaration: str = ""
    """Full name of the theorem, where it has one."""
    proof: str = ""
    """The steps before this one."""
    again: int = 0
    """How often steps were proposed for this before."""
    steps: str = ""
    """The steps of the search that lead to it, as one text; the file does not have them."""


class Proposer(Protocol):
    """Proposes distinct steps, the likeliest first."""

    @property
    def varied(self) -> bool:
        """Whether others may come when it is asked again."""

    async def propose(self, proof_state: ProofState) -> Sequence[Proposal]: ...


@attrs.define(eq=False)
class ModelTactics:
    """Samples of a model, with the model's own probabilities."""

    _engine: ModelEngine
    _sampling: SamplingParams
    """How to draw, for each goal."""
    _progress: ProgressSink = silent
    """Called when the model is downloaded or loaded."""
    _premises: Callable[[ProofState], Awaitable[tuple[Premise, ...]]] | None = None
    """Finds premises, for models that read some."""
    model: str | None = attrs.field(init=False, default=None)
    """Name of the model that answered last."""

    async def propose(self, proof_state: ProofState) -> list[Proposal]:
        """
        Raises:
            ModelError: The model cannot be loaded or run.
            LlmstepError: The premises cannot be had.
        """
        premises = await self._premises(proof_state) if self._premises else ()
        prompt_input = PromptInput(
            Goal(proof_state.goal),
            context=proof_state.context,
            declaration=proof_state.declaration,
            proof=proof_state.proof,
            premises=premises,
        )
        made = await self._engine.generate(prompt_input, self._warmer(proof_state.again), progress=self._loading)
        self.model = made.model
        equal = -math.log(max(1, len(made.candidates)))  # for those whose probability the server does not send
        proposals = [
            Proposal(each.text, equal if each.score is None else each.score * each.tokens) for each in made.candidates
        ]
        return sorted(proposals, key=lambda each: -each.logprob)

    @property
    def varied(self) -> bool:
        """Greedy decoding has one answer."""
        return self._sampling.temperature > 0

    def _warmer(self, again: int) -> SamplingParams:
        """Another draw each time, a little more daring: the likeliest steps have been tried."""
        if not again:
            return self._sampling
        temperature = self._sampling.temperature + min(again * _WARMER, _WARMEST)
        return attrs.evolve(self._sampling, seed=(self._sampling.seed or 0) + again, temperature=temperature)

    def _loading(self, update: Progress) -> None:
        if update.stage in ("download", "load"):
            self._progress(update)


class FixedTactics:
    """The same tactics for every goal, all equally likely."""

    varied = False

    def __init__(self, tactics: Sequence[str] = FIXED_TACTICS) -> None:
        self._proposals = [Proposal(tactic, -math.log(len(tactics))) for tactic in dict.fromkeys(tactics)]

    async def propose(self, proof_state: ProofState) -> list[Proposal]:
        return list(self._proposals)


class Mixture:
    """Two proposers, each believed half: the probability of a step is the mean of theirs, 0 for one not proposed."""

    def __init__(self, first: Proposer, second: Proposer) -> None:
        self._parts = (first, second)

    @property
    def varied(self) -> bool:
        """Whether one of the two is."""
        return any(part.varied for part in self._parts)

    async def propose(self, proof_state: ProofState) -> list[Proposal]:
        shares: dict[str, float] = {}
        for part in self._parts:
            for each in await part.propose(proof_state):
                step = inserted(each.tactic)
                shares[step] = shares.get(step, 0.0) + math.exp(each.logprob) / len(self._parts)
        proposals = [Proposal(tactic, math.log(share) if share else -math.inf) for tactic, share in shares.items()]
        return sorted(proposals, key=lambda each: -each.logprob)
