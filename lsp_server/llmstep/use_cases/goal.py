"""The use cases "goal" and "premises": what is to be proved at a cursor, and which lemmas may help with it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from llmstep.errors import NoGoalError
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.memory import Document
from llmstep.premises.asked import source_of
from llmstep.premises.source import Whereabouts
from llmstep.progress import ProgressSink, silent
from llmstep.types import Goal, Premise
from llmstep.use_cases.parts import GoalSource, Parts


async def find_goal(
    parts: Parts,
    document: Document,
    points: Sequence[InsertionPoint],
    *,
    source: GoalSource | None = None,
    progress: ProgressSink = silent,
) -> tuple[InsertionPoint, Goal]:
    """The first of the insertion points at which Lean has a goal, and that goal.

    Args:
        points: The likeliest first.
        source: Who gives the goal; None asks our own Lean server.
        progress: Called with what our own Lean says while it starts.

    Raises:
        NoGoalError: There is no goal at any of them; it speaks of the last with a `source`, else of the first.
        LeanError: Lean cannot say what the goal is.
    """
    if source is None:
        return await parts.lean.locate(document.uri, document.text, points, progress)
    missing = NoGoalError("There is no goal here.", hint="Put the cursor at a tactic, a `sorry` or after `by`.")
    for point in (each for each in points if not each.mends):
        try:
            return point, await source(document, point)
        except NoGoalError as error:
            missing = error
    raise missing


async def find_premises(
    parts: Parts, document: Document, point: InsertionPoint, goal: Goal, count: int
) -> tuple[str, tuple[Premise, ...]]:
    """Premises for a goal, whatever the model reads: from the settings' source, from Lean where they want none.

    Args:
        point: Where the goal stands.
        count: Most premises.

    Returns:
        The kind of the source, and the premises, best first.

    Raises:
        LlmstepError: The source cannot be used.
    """
    chosen = parts.settings.premises
    if chosen.source == "none":
        chosen = attrs.evolve(chosen, source="lean")
    source = source_of(attrs.evolve(parts.settings, premises=chosen, template=""), parts.lean)
    if source is None:
        return chosen.source, ()
    where = Whereabouts(document.uri, document.text, point)
    return chosen.source, await source.find(goal, where, count, chosen.timeout_seconds)
