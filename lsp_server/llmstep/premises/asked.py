"""A source of premises as the rest of the package asks it: once for each goal, and for so long."""

from __future__ import annotations

from typing import Final

import attrs
from cachetools import LRUCache

from llmstep.catalog.templates import TEMPLATES
from llmstep.lean.workspace import LeanWorkspace
from llmstep.premises.source import PremiseSource, Whereabouts
from llmstep.settings import Settings
from llmstep.types import Goal, Premise

_REMEMBERED: Final = 512
"""Goals whose premises are kept."""

_Key = tuple[str, str, str, int]


@attrs.define(eq=False)
class Premises:
    """What a source says, remembered: another draw, or another way to the same state of a proof, asks nobody."""

    source: PremiseSource
    _count: int
    """Most premises for a goal."""
    _seconds: float
    """Longest search."""
    _found: LRUCache[_Key, tuple[Premise, ...]] = attrs.field(init=False, factory=lambda: LRUCache(_REMEMBERED))

    def known(self, goal: Goal, where: Whereabouts | None) -> tuple[Premise, ...] | None:
        """What was found for a goal; None where nobody was asked."""
        return self._found.get(_key(goal, where))

    async def find(self, goal: Goal, where: Whereabouts | None) -> tuple[Premise, ...]:
        """See `PremiseSource.find`."""
        found = self.known(goal, where)
        if found is None:
            found = await self.source.find(goal, where, self._count, self._seconds)
            self._found[_key(goal, where)] = found
        return found


def source_of(settings: Settings, lean: LeanWorkspace | None) -> PremiseSource | None:
    """The source that the settings mean.

    None where they want none, name a template that does not read premises, or want Lean and there is none.
    """
    if settings.template in TEMPLATES and not TEMPLATES[settings.template].uses_premises:
        return None
    if settings.premises.source == "index":
        from llmstep.premises.retriever import Retriever

        return Retriever(settings.premises.index, settings.device, settings.threads)
    if settings.premises.source == "lean" and lean is not None:
        from llmstep.premises.lean_search import LeanSearch

        return LeanSearch(lean)
    return None


def premises_for(settings: Settings, lean: LeanWorkspace | None) -> Premises | None:
    """What `source_of` gives, remembered."""
    source = source_of(settings, lean)
    wanted = settings.premises
    return None if source is None else Premises(source, wanted.count, wanted.timeout_seconds)


def _key(goal: Goal, where: Whereabouts | None) -> _Key:
    """The goal and the file with the place of the proof; by which steps the proof came to the goal does not matter."""
    return (goal.state, "", "", -1) if where is None else (goal.state, where.uri, where.text, where.point.start)
