"""A place in a file in, a whole proof out that Lean accepts, or what there is of one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final

import attrs

from llmstep.automation.source import Automation
from llmstep.catalog.models import ProofStyle, style_by_name
from llmstep.catalog.registry import find_record
from llmstep.catalog.templates import guess_template
from llmstep.engine.engine import Engine
from llmstep.engine.interface import ModelEngine
from llmstep.errors import RequestError
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.proofs import filling
from llmstep.proofs.draft import Draft
from llmstep.proofs.sketching import sketch
from llmstep.proofs.work import Found, Work
from llmstep.proofs.writing import write
from llmstep.search.attempt import Attempt, Partial, Plan, Strategy, Task
from llmstep.search.judge import Judge
from llmstep.search.prover import StepProver

if TYPE_CHECKING:
    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.premises.asked import Premises
    from llmstep.settings import Settings

_GENERAL: Final = ("instruct", "instruct-file")
"""Templates of models that were made for conversations of any kind."""


@attrs.frozen(eq=False)
class WholeProver:
    """Proves a goal by the strategy of a plan: a search over steps, a proof that a model writes, or a sketch."""

    _engine: ModelEngine
    """The model of the settings."""
    lean: LeanWorkspace
    """Judges."""
    _premises: Premises | None = None
    """Finds premises for each state of a search, for models that read some."""
    _automation: Automation = attrs.field(factory=Automation)
    """Knows which tactics the files do not have."""

    async def prove(self, task: Task, plan: Plan, progress: ProgressSink = silent) -> Attempt:
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
        if plan.tactics != "list" and plan.strategy != "search":
            style = style_of(self._engine.settings, await model_name(self._engine))
        strategy = chosen(plan, style)
        if strategy == "search":
            return await self._by_steps().prove(task, plan, progress)
        progress(Progress("goal", "Asking Lean for the goal"))
        point, goal = await self.lean.locate(task.uri, task.text, task.points)
        async with self._steps(helped=style is not None) as steps:
            work = Work(
                Judge(self.lean, task.uri, *_with_plain_line_ends(task.text, point), goal),
                self._engine,
                plan,
                style,
                steps,
                self._automation,
                started + plan.seconds,
                progress,
            )
            found = await _within(work, strategy)
            draft = found.draft
            proof = draft.proof if draft is not None and found.outcome == "proved" else None
            partial = None
            if draft is not None and proof is None and draft.gaps:
                work.say("Asking Lean for the goals that are left")
                goals = await filling.goals_of(work, draft)
                partial = Partial(draft.proof, point.edit(task.text, draft.proof), goals)
        return Attempt(
            point=point,
            goal=goal,
            outcome=found.outcome,
            steps=None if proof is None else (proof,),
            proof=proof,
            edit=None if proof is None else point.edit(task.text, proof),
            partial=partial,
            expansions=work.expansions,
            states=work.states,
            rounds=work.rounds,
            tokens=work.tokens,
            seconds=round(time.monotonic() - started, 3),
            model=work.model,
            tactics=plan.tactics,
            strategy=strategy,
        )

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
    if strategy == "sketch" and work.style is None:
        run = sketch(work, kept.append)
    else:
        run = write(work, kept.append, sketch=strategy == "sketch")
    try:
        return await asyncio.wait_for(run, work.left)
    except asyncio.TimeoutError:
        if work.left > 0:
            raise  # not ours
        return Found(kept[-1], "partial") if kept else Found(None, "seconds")


def _with_plain_line_ends(text: str, point: InsertionPoint) -> tuple[str, InsertionPoint]:
    """A text whose lines end with `\\n`, without a byte order mark, and the insertion point in it."""
    text, point = point.without_mark(text)
    if "\r\n" not in text:
        return text, point
    point = point.moved(lambda offset: offset - text.count("\r\n", 0, max(offset, 0)))
    return text.replace("\r\n", "\n"), attrs.evolve(point, tail=point.tail.replace("\r\n", "\n"))


async def model_name(engine: ModelEngine) -> str:
    """The name of the model that the settings mean; a server that they leave the choice is asked for it."""
    settings = engine.settings
    if settings.in_process or settings.starts_server:
        return settings.model
    return settings.remote.model or await engine.load()


def style_of(settings: Settings, name: str) -> ProofStyle | None:
    """How a model is asked for whole proofs; None where it was made for single steps.

    Args:
        name: In the catalog, on the hub, or at its server.
    """
    record = find_record(name)
    if record is not None:
        return record.proofs or ("chat" if record.template in _GENERAL else None)
    if (style := style_by_name(name)) is not None:
        return style
    template = settings.template or guess_template(name, "causal")
    if template:
        return "chat" if template in _GENERAL else None
    # A model at a server of which nothing else is known can be talked to, and asked for no steps.
    here = settings.in_process or settings.starts_server or settings.engine == "llmstep"
    return None if here else "chat"


def chosen(plan: Plan, style: ProofStyle | None) -> Strategy:
    """The strategy that a plan means: `auto` writes with models that write whole proofs, and searches with others.

    Raises:
        RequestError: Fixed tactics alone are to write a proof.
    """
    if plan.strategy == "write" and plan.tactics == "list":
        raise RequestError(
            "The strategy write needs a model, and the tactics are the fixed list.",
            hint="Give the tactics both, or the strategy search.",
        )
    if plan.strategy != "auto":
        return plan.strategy
    return "write" if style is not None and plan.tactics != "list" else "search"
