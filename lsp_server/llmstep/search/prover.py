"""Proves a goal by a search over steps."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.automation.source import MissingTactics
from llmstep.premises.source import Whereabouts
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.search.best_first import Limits, best_first
from llmstep.search.interface import Attempt, Task
from llmstep.search.judge import Judge
from llmstep.search.lean_expander import LeanExpander
from llmstep.search.proposals import FIXED_TACTICS, FixedTactics, Mixture, ModelTactics, ProofState, Proposer, Tactics
from llmstep.search.script import join
from llmstep.search.state import canonical
from llmstep.types import Goal, Premise, SamplingParams

if TYPE_CHECKING:
    from llmstep.engine.interface import ModelEngine
    from llmstep.lean.insertion_points import InsertionPoint
    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.premises.asked import Premises
    from llmstep.settings import Settings


@attrs.frozen(kw_only=True)
class Method:
    """How to search."""

    tactics: Tactics = "model"
    """Where steps come from."""
    fixed: tuple[str, ...] = FIXED_TACTICS
    """The list of `list` and `both`."""
    expansions: int = 64
    seconds: float = 120.0
    samples: int = 16
    """Drawn from the model for each state."""
    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 128
    seed: int | None = 0
    """Makes the model's samples the same in every run."""
    length_power: float = 0.0
    """See `best_first`."""
    patience: int = 4
    """See `Limits`."""

    @classmethod
    def of(cls, settings: Settings, **given: Any) -> Method:
        """What the user has set for the model, and what is given."""
        sampling = SamplingParams.of(settings)
        return cls(
            temperature=sampling.temperature, top_p=sampling.top_p, max_new_tokens=sampling.max_new_tokens, **given
        )


@attrs.frozen(eq=False)
class StepProver:
    """Searches for proofs in files. Cancelling the task of a call ends it at once."""

    engine: ModelEngine
    """Proposes steps; not used with `list`."""
    lean: LeanWorkspace
    """Runs them."""
    _premises: Premises | None = None
    """Finds premises for each state, for models that read some."""
    _missing: MissingTactics = attrs.field(factory=MissingTactics)
    """What the files do not have."""

    async def prove(self, task: Task, how: Method, progress: ProgressSink = silent) -> Attempt:
        """Search for a proof of a goal.

        Raises:
            NoGoalError: There is no goal at any of the points.
            LeanError: Lean cannot be started or does not answer.
            ModelError: The model cannot be loaded or run.
        """
        started = time.monotonic()
        uri, text = task.uri, task.text
        progress(Progress("goal", "Asking Lean for the goal"))
        point, goal = await self.lean.locate(uri, text, task.points)
        helped = partial(self._helped, uri, text, point) if self._premises else None
        model = ModelTactics(self.engine, _sampling(how), progress, helped)
        judge = Judge(self.lean, uri, text, point, goal)
        expander = LeanExpander(judge, _proposer(how, model), task.written(text, point), self._missing)
        limits = Limits(how.expansions, how.seconds, how.patience)
        search = await best_first(
            judge.root, expander, limits, key=canonical, length_power=how.length_power, progress=progress
        )
        steps = search.proof
        if steps is not None:
            progress(Progress("check", "Checking the proof"))
            shorter = await expander.shortened(steps)
            steps = shorter if shorter == steps or await judge.accepts(shorter) else steps
        proof = None if steps is None else join(steps)
        return Attempt(
            point,
            goal,
            steps,
            proof,
            None if proof is None else point.edit(text, proof),
            "refused" if proof is None and judge.refused else search.outcome,
            search.expansions,
            search.states,
            round(time.monotonic() - started, 3),
            model.model,
            how.tactics,
        )

    async def _helped(self, uri: str, text: str, point: InsertionPoint, proof_state: ProofState) -> tuple[Premise, ...]:
        """Premises for a state of a proof at an insertion point."""
        assert self._premises is not None
        return await self._premises.find(Goal(proof_state.goal), Whereabouts(uri, text, point, proof_state.steps))


def _sampling(method: Method) -> SamplingParams:
    return SamplingParams(method.samples, method.temperature, method.top_p, method.max_new_tokens, method.seed)


def _proposer(method: Method, model: ModelTactics) -> Proposer:
    if method.tactics == "model":
        return model
    fixed = FixedTactics(method.fixed)
    return fixed if method.tactics == "list" else Mixture(model, fixed)
