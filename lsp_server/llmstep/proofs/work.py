"""What all strategies share while a proof is looked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from llmstep.progress import Progress, ProgressSink
from llmstep.search.attempt import Outcome, Plan
from llmstep.search.prover import StepProver

if TYPE_CHECKING:
    from llmstep.automation.source import Automation
    from llmstep.catalog.models import ProofStyle
    from llmstep.engine.interface import ModelEngine
    from llmstep.proofs.draft import Draft
    from llmstep.search.judge import Judge


@attrs.frozen
class Found:
    """What a strategy has come to."""

    draft: Draft | None
    """A proof without gaps has been accepted by Lean in the whole file; one with gaps is a part of a proof."""
    outcome: Outcome


@attrs.define(eq=False)
class Work:
    """One goal while a proof of it is looked for, and what that has cost so far."""

    judge: Judge
    """Has the file's text, whose lines end with `\\n`."""
    engine: ModelEngine
    plan: Plan
    style: ProofStyle | None
    """How the model is asked for whole proofs; None for one that writes steps."""
    steps: Callable[[], StepProver]
    """Gives what searches by steps."""
    automation: Automation
    deadline: float
    """In seconds of `time.monotonic`."""
    progress: ProgressSink
    hopeless: set[str] = attrs.field(factory=set)
    """Goals that Lean's own tactics have been tried at in vain."""
    expansions: int = 0
    states: int = 0
    rounds: int = 0
    """Answers of a model with a whole proof, or asked for one."""
    tokens: int = 0
    model: str | None = None

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.deadline - time.monotonic())

    def say(self, message: str) -> None:
        """Show what is being done; how much of it is done is not known."""
        self.progress(Progress("write", message))
