"""The use case "goal": which of the places that a cursor may mean has a goal, and what it is."""

from __future__ import annotations

from collections.abc import Sequence

from llmstep.errors import NoGoalError
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.memory import Document
from llmstep.progress import ProgressSink, silent
from llmstep.types import Goal
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
        parts: What to work with.
        document: The text that the insertion points belong to.
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
