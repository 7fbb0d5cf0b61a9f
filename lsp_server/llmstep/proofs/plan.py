"""How a proof is looked for, and what all strategies share while one is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import attrs

from llmstep.progress import Progress, ProgressSink
from llmstep.search.interface import Outcome
from llmstep.search.prover import Method, StepProver

if TYPE_CHECKING:
    from llmstep.automation.source import Automation
    from llmstep.catalog.models import ProofStyle
    from llmstep.engine.interface import ModelEngine
    from llmstep.proofs.draft import Draft
    from llmstep.proofs.judge import WrittenJudge
    from llmstep.settings import Settings

Strategy = Literal["auto", "search", "write", "sketch"]
STRATEGIES: tuple[Strategy, ...] = ("auto", "search", "write", "sketch")


@attrs.frozen(kw_only=True)
class Plan:
    """How a proof is looked for. `auto` takes what the model was made for."""

    strategy: Strategy = "auto"
    method: Method = Method(tactics="both")
    """How steps are searched for; its seconds are those of everything, whatever the strategy."""
    rounds: int = 3
    """How often a written proof that Lean refuses goes back to the model."""
    tokens: int = 32_768
    """Most tokens that the model writes in all rounds together, thoughts included."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        method: Method,
        *,
        strategy: Strategy | None = None,
        rounds: int | None = None,
        tokens: int | None = None,
    ) -> Plan:
        """The plan of the settings, as far as nothing else is said."""
        return cls(
            strategy=strategy or settings.prove_strategy,
            method=method,
            rounds=settings.prove_rounds if rounds is None else rounds,
            tokens=settings.prove_tokens if tokens is None else tokens,
        )

    @property
    def expansions(self) -> int:
        """Most states that are expanded."""
        return self.method.expansions


@attrs.frozen
class Found:
    """What a strategy has come to."""

    draft: Draft | None
    """A proof without gaps has been accepted by Lean in the whole file; one with gaps is a part of a proof."""
    outcome: Outcome


@attrs.define
class Counts:
    """What the work has cost so far."""

    expansions: int = 0
    states: int = 0
    rounds: int = 0
    """Answers of a model with a whole proof, or asked for one."""
    tokens: int = 0
    model: str | None = None


@attrs.define(eq=False)
class Work:
    """One goal while a proof of it is looked for.

    Attributes:
        style: How the model is asked for whole proofs; None for one that writes steps.
        steps: Gives what searches by steps.
        deadline: In seconds of `time.monotonic`.
    """

    judge: WrittenJudge
    engine: ModelEngine
    plan: Plan
    style: ProofStyle | None
    steps: Callable[[], StepProver]
    automation: Automation
    deadline: float
    progress: ProgressSink
    written: str = ""
    """The steps of the proof in front of the place."""
    counts: Counts = attrs.field(factory=Counts)
    hopeless: set[str] = attrs.field(factory=set)
    """Goals that Lean's own tactics have been tried at in vain."""

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.deadline - time.monotonic())

    def say(self, message: str) -> None:
        """Show what is being done; how much of it is done is not known."""
        self.progress(Progress("write", message))
