"""What Lean offers for names that it does not have: its code actions and its completions in the shadow document."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Final

import attrs

from llmstep.errors import LeanCrashedError, LeanError, LeanMemoryError
from llmstep.lean.documents import wire
from llmstep.lean.insertion_point import ShadowText
from llmstep.lean.names import (
    MAX_NAMES,
    Misnamed,
    Offer,
    StepPlaces,
    changes,
    completions,
    misnamed,
    renamed,
    replacement,
)
from llmstep.lean.recheck import Case
from llmstep.lean.shadow import Shadow
from llmstep.lean.step import inserted
from llmstep.lean.text import position_at
from llmstep.lean.verdict import Outcome

SECONDS: Final = 2.0
"""Longest wait for one answer."""
_SURE: Final = 0.85
"""Of an offer so like what is written, no further one is asked for."""
_MAX_ITEMS: Final = 4000


@attrs.define(eq=False)
class Offers:
    """Asks Lean about the names in one candidate. The shadow document must not be used for anything else meanwhile."""

    _shadow: Shadow
    """Ready for the candidate."""
    _case: Case
    _found: dict[str, list[Offer]]
    """The offers for names at this insertion point, by the name; filled."""
    _shown: str = attrs.field(init=False, default="")
    """The document as it is."""

    @property
    def _known(self) -> tuple[AbstractSet[str], str]:
        return self._case.bound, self._case.point.declaration.name

    async def texts(self) -> list[str]:
        """The candidate with names that Lean has, the likest first; none where it offers nothing for one of them.

        Raises:
            LeanError: Lean does not answer.
        """
        candidate = self._case.candidate
        outcome = await self._run(candidate)
        names = misnamed(outcome, candidate)
        if not 0 < len(names) <= MAX_NAMES:
            return []
        choices = []
        for name in names:
            offers = await self._for(name, outcome)
            if offers:
                choices.append((name, offers))
            elif name.kind == "unknown":
                return []
        return [text for text in renamed(candidate, choices) if text != inserted(candidate)]

    async def _for(self, name: Misnamed, outcome: Outcome) -> list[Offer]:
        if name.kind == "deprecated":
            text = replacement(name, self._case.bound)
            return [] if text is None else [Offer(text, 1.0)]
        if name.field:
            return await self._asked(name, outcome)  # its type decides
        if name.written not in self._found:
            self._found[name.written] = await self._asked(name, outcome)
        return self._found[name.written]

    async def _asked(self, name: Misnamed, outcome: Outcome) -> list[Offer]:
        candidate = self._case.candidate
        outcome = outcome if outcome.shadow.text == self._shown else await self._run(candidate)
        place = self._place(outcome.shadow, name, candidate)
        found: dict[str, Offer] = {}
        self._add(found, completions(name, await self._completions(place["end"]), *self._known))
        if not _sure(found):
            self._add(found, changes(name, await self._actions(place, outcome), place, *self._known))
        for part in _parts(name):
            if _sure(found):
                break
            changed = inserted(candidate)[: name.start] + part + inserted(candidate)[name.end :]
            asked = attrs.evolve(name, end=name.start + len(part))
            shadow = (await self._run(changed)).shadow
            items = await self._completions(self._place(shadow, asked, changed)["end"])
            self._add(found, completions(name, items, *self._known))
        return sorted(found.values(), key=lambda each: -each.likeness)

    @staticmethod
    def _add(found: dict[str, Offer], offers: list[Offer]) -> None:
        for each in offers:
            if each.text not in found or found[each.text].likeness < each.likeness:
                found[each.text] = each

    async def _run(self, candidate: str) -> Outcome:
        shadow = self._case.document(candidate)
        self._shown = shadow.text
        return await self._shadow.run(shadow, self._case.seconds, "")

    def _place(self, shadow: ShadowText, name: Misnamed, candidate: str) -> dict[str, Any]:
        """The range of a name in the document, as on the wire."""
        places = StepPlaces(shadow, candidate)
        ends = (position_at(shadow.text, places.in_document(offset)) for offset in (name.start, name.end))
        return dict(zip(("start", "end"), map(wire, ends), strict=True))

    async def _actions(self, place: dict[str, Any], outcome: Outcome) -> list[Any]:
        said = [each for each in outcome.diagnostics if each["range"] == place]
        answer = await self._ask("textDocument/codeAction", range=place, context={"diagnostics": said})
        return answer if isinstance(answer, list) else []

    async def _completions(self, position: Any) -> list[Any]:
        answer = await self._ask("textDocument/completion", position=position)
        items = answer.get("items") if isinstance(answer, dict) else answer
        return items[:_MAX_ITEMS] if isinstance(items, list) else []

    async def _ask(self, method: str, **params: Any) -> Any:
        try:
            return await self._shadow.server.ask(self._shadow.uri, method, SECONDS, **params)
        except (LeanCrashedError, LeanMemoryError):
            raise
        except LeanError:  # it has no answer to this, or none in time
            return None


def _sure(found: dict[str, Offer]) -> bool:
    return any(each.likeness >= _SURE for each in found.values())


def _parts(name: Misnamed) -> Iterator[str]:
    """What else Lean is asked to complete: the name without its namespace, and its beginning and its end alone."""
    space, _, last = name.written.rpartition(".")
    if name.field:
        yield last[: max(1, len(last) // 2)]
        return
    if space:
        yield last
    half = len(last) // 2
    head, tail = last[:half], last[half:].lstrip("_'0123456789")
    for part in (head, tail):
        if len(part) > 1 and part[0].isalpha():
            yield f"{space}.{part}" if space else part
