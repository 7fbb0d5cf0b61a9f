"""Proves a goal by a search over steps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs

from llmstep.automation.source import MissingTactics
from llmstep.premises.source import Whereabouts
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.search.attempt import Attempt, Plan, Task
from llmstep.search.best_first import Limits, best_first
from llmstep.search.expander import LeanExpander
from llmstep.search.judge import Judge, join
from llmstep.search.proposals import Proposer
from llmstep.search.state import canonical
from llmstep.types import Goal, Premise

if TYPE_CHECKING:
    from llmstep.engine.interface import ModelEngine
    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.premises.asked import Premises


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

    async def prove(self, task: Task, plan: Plan, progress: ProgressSink = silent) -> Attempt:
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
        premises = self._premises

        async def helped(goal: Goal, steps: str) -> tuple[Premise, ...]:
            return await premises.find(goal, Whereabouts(uri, text, point, steps)) if premises else ()

        engine = None if plan.tactics == "list" else self.engine
        fixed = () if plan.tactics == "model" else plan.fixed
        proposer = Proposer(engine, plan.sampling, fixed, helped if premises else None, progress)
        judge = Judge(self.lean, uri, text, point, goal)
        expander = LeanExpander(judge, proposer, self._missing)
        limits = Limits(plan.expansions, plan.seconds, plan.patience)
        search = await best_first(
            judge.root, expander, limits, key=canonical, length_power=plan.length_power, progress=progress
        )
        steps = search.proof
        if steps is not None:
            progress(Progress("check", "Checking the proof"))
            shorter = await expander.shortened(steps)
            steps = shorter if shorter == steps or await judge.accepts(shorter) else steps
        proof = None if steps is None else join(steps)
        return Attempt(
            point=point,
            goal=goal,
            outcome="refused" if proof is None and judge.refused else search.outcome,
            steps=steps,
            proof=proof,
            edit=None if proof is None else point.edit(text, proof),
            expansions=search.expansions,
            states=search.states,
            seconds=round(time.monotonic() - started, 3),
            model=proposer.model,
            tactics=plan.tactics,
        )
