"""The use case "goal": which of the places that a cursor may mean has a goal, and what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.errors import NoGoalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmstep.lean.site import Site
    from llmstep.memory import Document
    from llmstep.types import Goal
    from llmstep.use_cases.parts import GoalSource, Parts


async def find_goal(
    parts: Parts,
    document: Document,
    sites: Sequence[Site],
    *,
    source: GoalSource | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> tuple[Site, Goal]:
    """The first of the sites at which Lean has a goal, and that goal.

    Args:
        parts: What to work with.
        document: The text that the sites belong to.
        sites: The likeliest first.
        source: Who gives the goal; None asks our own Lean server.
        on_wait: Called with what our own Lean says while it starts.

    Raises:
        NoGoalError: There is no goal at any of them; it speaks of the last with a `source`, else of the first.
        LeanError: Lean cannot say what the goal is.
    """
    if source is None:
        return await parts.lean.locate(document.uri, document.text, sites, on_wait)
    missing = NoGoalError("There is no goal here.", hint="Put the cursor at a tactic, a `sorry` or after `by`.")
    for site in sites:
        try:
            return site, await source(document, site)
        except NoGoalError as error:
            missing = error
    raise missing
