"""The use case "premises": which definitions and lemmas may help with a goal."""

from __future__ import annotations

import attrs

from llmstep.lean.insertion_points import InsertionPoint
from llmstep.memory import Document
from llmstep.premises.asked import source_of
from llmstep.premises.source import Whereabouts
from llmstep.types import Goal, Premise
from llmstep.use_cases.parts import Parts


async def find_premises(
    parts: Parts, document: Document, point: InsertionPoint, goal: Goal, count: int
) -> tuple[str, tuple[Premise, ...]]:
    """Premises for a goal, whatever the model reads: from the settings' source, from Lean where they want none.

    Args:
        parts: What to work with.
        document: The text that the insertion point belongs to.
        point: Where the goal stands.
        goal: What is to be proved.
        count: Most premises.

    Returns:
        The kind of the source, and the premises, best first.

    Raises:
        LlmstepError: The source cannot be used.
    """
    settings = parts.settings
    chosen = settings.premises
    if chosen.source == "none":
        chosen = attrs.evolve(chosen, source="lean")
    source = source_of(attrs.evolve(settings, premises=chosen, template=""), parts.lean)
    if source is None:
        return chosen.source, ()
    where = Whereabouts(document.uri, document.text, point)
    return chosen.source, await source.find(goal, where, count, chosen.timeout_seconds)
