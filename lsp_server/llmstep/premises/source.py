"""What the rest of the package knows of premises, and the source that the settings mean."""

from __future__ import annotations

from typing import Protocol

import attrs

from llmstep.lean.insertion_point import InsertionPoint
from llmstep.types import Goal, Premise


@attrs.frozen
class Whereabouts:
    """Where a goal stands."""

    uri: str
    text: str
    """The whole file, or as much of it as is known."""
    point: InsertionPoint
    steps: str = ""
    """What a proof has, at the insertion point, before the goal: steps that are not in the text."""


class PremiseSource(Protocol):
    """Finds premises for goals. What it holds goes when it does."""

    async def find(self, goal: Goal, where: Whereabouts | None, count: int, seconds: float) -> tuple[Premise, ...]:
        """The premises that are most likely to help, best first, at most `count`.

        Args:
            where: The place of the goal; None for a goal without a file, for which some sources know nothing. Its
                `uri` is empty where only the text is known.
            seconds: Longest search. What a source needs to be ready for its first goal does not count.

        Raises:
            LlmstepError: The source cannot be used.
        """
