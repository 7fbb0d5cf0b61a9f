"""The use case "suggest": a position in, ranked and checked suggestions out, remembered for each document.

goal (from the editor's Lean or our own) -> candidates (from the model and from Lean's own tactics) -> checks (by our
own Lean) -> ranking
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from llmstep.aside import aside
from llmstep.engine.interface import Generation
from llmstep.errors import ModelError
from llmstep.lean.asking import prompt_input_at
from llmstep.memory import Document, Memory, SuggestionSet, insertion_points_at
from llmstep.premises.source import Whereabouts
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams, Suggestion
from llmstep.use_cases.gathering import Gathering
from llmstep.use_cases.goal import find_goal
from llmstep.use_cases.judging import Judging
from llmstep.use_cases.parts import CheckSource, GoalSource, Parts
from llmstep.use_cases.repair import repair_names

if TYPE_CHECKING:
    from lsprotocol.types import Diagnostic, Position


async def suggest(
    parts: Parts,
    document: Document,
    position: Position,
    *,
    prefix: str | None = None,
    count: int | None = None,
    seed: int | None = None,
    more: bool = False,
    goals: GoalSource | None = None,
    checks: CheckSource | None = None,
    memory: Memory | None = None,
    diagnostics: Sequence[Diagnostic] = (),
    progress: ProgressSink = silent,
    on_update: Callable[[SuggestionSet], None] | None = None,
) -> SuggestionSet:
    """Find the goal, generate, check, rank and remember.

    Cancelling the task stops the model within one decoding step and the check at once.

    Args:
        position: Where the user asks; see `find_insertion_point` for what counts as a goal.
        prefix: What every suggestion starts with; None takes that of an `llmstep "prefix"` call at the position.
        count: Number of samples; None takes the setting.
        seed: Fixes the draw.
        more: Draw afresh and add to what is known for this goal already.
        goals: Where the goal comes from; None asks our own Lean server.
        checks: Who judges the candidates first; where it cannot, and without one, our own Lean server does.
        memory: Keeps the set; None takes that of the parts, which the editor sees.
        diagnostics: Those of the editor at this position; they help to find the goal.
        progress: Called with each step of the work.
        on_update: Called with the set when it first exists, unchecked, and after every check.

    Raises:
        NoGoalError: There is no goal at the position.
        LeanError: Lean cannot say what the goal is.
        ModelError: The model cannot be loaded or run, and Lean's own tactics give nothing.
    """
    started = time.perf_counter()
    memory = memory or parts.memory
    _, points = await aside(insertion_points_at, document.text, position, diagnostics)
    progress(Progress("goal", "Asking Lean for the goal"))
    point, goal = await find_goal(parts, document, points, source=goals, progress=progress)
    prompt_input = await aside(prompt_input_at, document.text, point, goal, point.prefix if prefix is None else prefix)
    key = await aside(point.key, document.text)
    empty = SuggestionSet(
        uri=document.uri, version=document.version, point=point, key=key, goal=goal, prefix=prompt_input.prefix
    )
    earlier = memory.find(document.uri, key) if more else None
    known: tuple[Suggestion, ...] = ()
    if earlier is not None:
        known = (*earlier.suggestions, *earlier.rejected)
        empty = attrs.evolve(
            empty, refused_tactics=earlier.refused_tactics, drawn=earlier.drawn, draws=earlier.draws + 1
        )
    gathering = Gathering(empty, known, memory, on_update, started)
    judging = Judging(parts, document, gathering, checks, progress)
    tactics = asyncio.ensure_future(judging.automate(empty)) if not earlier else None
    try:
        if parts.premises is not None:
            progress(Progress("goal", "Looking for premises"))
            where = Whereabouts(document.uri, document.text, point)
            prompt_input = attrs.evolve(prompt_input, premises=await parts.premises.find(goal, where))
        sampling = sampling_of(parts.settings, count, seed, empty.draws - 1)
        try:
            generation = await parts.engine.generate(prompt_input, sampling, progress=progress)
        except ModelError as error:
            if tactics is not None:
                await tactics
            if not gathering.found:
                raise
            return gathering.update(failure=error)
        gathering.model_candidates(generation.candidates)
        found = gathering.update(
            model=generation.model, drawn=empty.drawn + generation.drawn, endings=generation.endings
        )
        note = await judging.judge(found)
        if tactics is not None:
            await tactics
        if parts.settings.repair_names == "on":
            await repair_names(gathering, parts.lean, document, found)
        return gathering.update(note=note)
    finally:
        if tactics is not None:
            tactics.cancel()


async def suggest_unplaced(
    parts: Parts, goal: Goal, *, prefix: str = "", seed: int | None = None, progress: ProgressSink = silent
) -> Generation:
    """Candidates for a goal without a file, which nobody can check.

    Raises:
        ModelError: The model cannot be loaded or run.
    """
    premises = await parts.premises.find(goal, None) if parts.premises else ()
    prompt_input = PromptInput(goal, prefix=prefix, premises=premises)
    return await parts.engine.generate(prompt_input, sampling_of(parts.settings, None, seed), progress=progress)


def sampling_of(
    settings: Settings, count: int | None = None, seed: int | None = None, draws: int = 0
) -> SamplingParams:
    """The settings' sampling; a later draw for the same goal has another seed, so that no cache answers it.

    Args:
        count: Number of samples; None takes the setting.
        draws: How often this goal was drawn for already.
    """
    if not draws:
        return SamplingParams.of(settings, count, seed)
    again = SamplingParams.of(settings, count, (seed or 0) + draws)
    # The greedy answer is known already.
    return again if again.temperature else attrs.evolve(again, temperature=SamplingParams().temperature)
