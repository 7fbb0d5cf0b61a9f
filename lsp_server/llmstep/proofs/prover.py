"""The use case: a place in a file in, a whole proof out that Lean accepts, or what there is of one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import attrs

from llmstep.automation.source import Automation
from llmstep.engine.engine import Engine
from llmstep.engine.interface import ModelEngine
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.proofs import filling
from llmstep.proofs.draft import Draft, with_plain_line_ends
from llmstep.proofs.judge import WrittenJudge
from llmstep.proofs.plan import Found, Plan, Strategy, Work
from llmstep.proofs.sketching import sketch
from llmstep.proofs.strategies import chosen, model_name, style_of
from llmstep.proofs.writing import write
from llmstep.search.interface import Attempt, Partial, Task
from llmstep.search.prover import StepProver
from llmstep.types import Goal

if TYPE_CHECKING:
    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.premises.asked import Premises


class WholeProver:
    """Proves a goal by the strategy of a plan: a search over steps, a proof that a model writes, or a sketch.

    Args:
        engine: The model of the settings.
        lean: Judges.
        premises: Finds premises for each state of a search, for models that read some.
        automation: Knows which tactics the files do not have.
    """

    def __init__(
        self,
        engine: ModelEngine,
        lean: LeanWorkspace,
        premises: Premises | None = None,
        automation: Automation | None = None,
    ) -> None:
        self._engine = engine
        self.lean = lean
        self._premises = premises
        self._automation = automation or Automation()

    async def prove(self, task: Task, how: Plan, progress: ProgressSink = silent) -> Attempt:
        """Look for a proof of a goal. Cancelling the task of the call ends it at once.

        Args:
            progress: Called with each step of the work.

        Raises:
            NoGoalError: There is no goal at any of the points.
            RequestError: What is asked for does not go together.
            LeanError: Lean cannot be started or does not answer.
            ModelError: The model cannot be loaded or run.
        """
        started = time.monotonic()
        style = None
        if how.method.tactics != "list" and how.strategy != "search":
            style = style_of(self._engine.settings, await model_name(self._engine))
        strategy = chosen(how, style)
        if strategy == "search":
            return await self._by_steps().prove(task, how.method, progress)
        progress(Progress("goal", "Asking Lean for the goal"))
        point, goal = await self.lean.locate(task.uri, task.text, task.points)
        plain, moved = with_plain_line_ends(task.text, point)
        async with self._steps(helped=style is not None) as steps:
            work = Work(
                WrittenJudge(self.lean, task.uri, plain, moved, goal),
                self._engine,
                how,
                style,
                steps,
                self._automation,
                started + how.method.seconds,
                progress,
                task.written(task.text, point),
            )
            found = await _within(work, strategy)
            return await _attempt(work, found, strategy, task.text, point, goal, started)

    def _by_steps(self) -> StepProver:
        return StepProver(self._engine, self.lean, self._premises, self._automation.missing)

    @contextlib.asynccontextmanager
    async def _steps(self, *, helped: bool) -> AsyncIterator[Callable[[], StepProver]]:
        """What gives the search over steps: with the model of the settings, or where that writes whole proofs, with the
        starter, which is always there."""
        starter: Engine | None = None

        def prover() -> StepProver:
            nonlocal starter
            if not helped:
                return self._by_steps()
            if starter is None:
                own = attrs.evolve(self._engine.settings, model="starter", template="", engine="inProcess")
                starter = Engine(own)
            return StepProver(starter, self.lean, None, self._automation.missing)

        try:
            yield prover
        finally:
            if starter is not None:
                await asyncio.shield(starter.close())


async def _within(work: Work, strategy: Strategy) -> Found:
    """What the strategy finds in its time; what it had when the time was over."""
    kept: list[Draft] = []
    run = sketch(work, kept.append) if strategy == "sketch" and work.style is None else None
    run = run or write(work, kept.append, sketch=strategy == "sketch")
    try:
        return await asyncio.wait_for(run, work.left)
    except asyncio.TimeoutError:
        if work.left > 0:
            raise  # not ours
        return Found(kept[-1], "partial") if kept else Found(None, "seconds")


async def _attempt(
    work: Work, found: Found, strategy: Strategy, text: str, point: InsertionPoint, goal: Goal, started: float
) -> Attempt:
    proof = found.draft.proof if found.draft is not None and found.outcome == "proved" else None
    partial = None
    if found.draft is not None and proof is None and found.draft.gaps:
        work.say("Asking Lean for the goals that are left")
        goals = await filling.goals_of(work, found.draft)
        partial = Partial(found.draft.proof, point.edit(text, found.draft.proof), goals)
    return Attempt(
        point,
        goal,
        None if proof is None else (proof,),
        proof,
        None if proof is None else point.edit(text, proof),
        found.outcome,
        work.counts.expansions,
        work.counts.states,
        round(time.monotonic() - started, 3),
        work.counts.model,
        work.plan.method.tactics,
        strategy,
        work.counts.rounds,
        work.counts.tokens,
        partial,
    )
