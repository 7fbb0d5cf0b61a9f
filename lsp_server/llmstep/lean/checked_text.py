"""A text as it is checked: what stands above is taken as given, and Lean says where the declaration begins."""

from __future__ import annotations

import asyncio
import re
from typing import Final

import attrs
from cachetools import LRUCache
from lsprotocol.types import Position

from llmstep.lean.declaration import declaration_from
from llmstep.lean.elide import elide
from llmstep.lean.insertion_point import InsertionPoint
from llmstep.lean.shadow import Shadow
from llmstep.lean.text import digest, masked_text, offset_at
from llmstep.lean.verdict import Outcome

_EXPECTED: Final = re.compile(r"'([^'\s]+)'(?=,| or |\Z)")
"""A word in what Lean's parser expected."""


@attrs.define(eq=False)
class CheckedText:
    """Makes texts ready for the shadow document of a file."""

    _shadow: Shadow
    _lock: asyncio.Lock
    """Held while the document is in use."""
    _variables_by_proof: bool = attrs.field(kw_only=True)
    """Whether the Lean of the project lets a proof decide which `variable`s a theorem has."""
    _lines: LRUCache[str, tuple[int, str]] = attrs.field(init=False, factory=lambda: LRUCache(64))
    """Where commands begin of which text cannot tell that, and the word that they end with."""

    def forget(self) -> None:
        """Other imports may have other commands."""
        self._lines = LRUCache(64)

    async def of(self, text: str, point: InsertionPoint) -> tuple[str, InsertionPoint]:
        """The text with what stands above the declaration taken as given, and the insertion point in it."""
        text, point = point.without_mark(text)
        text = elide(text, point.declaration.known, variables_by_proof=self._variables_by_proof)
        unsure = point.declaration.unsure_from >= 0 and not point.declaration.mutual
        return text, await self._in_its_command(text, point) if unsure else point

    async def _in_its_command(self, text: str, point: InsertionPoint) -> InsertionPoint:
        """The insertion point in the declaration that Lean's parser has it in, where text alone does not decide."""
        shadow = point.shadow_text(text, point.placeholder)
        key = digest(shadow.text)
        known = self._lines.get(key)
        if known is None:
            async with self._lock:
                outcome, _ = await self._shadow.settle(text[: point.start], shadow)
                if word := _missing_word(outcome, text[point.end :]):
                    shadow = attrs.evolve(point, closers=word).shadow_text(text, point.placeholder)
                    await self._shadow.settle(text[: point.start], shadow)
                known = await self._shadow.command_line(shadow), word
            self._lines[key] = known
        line, word = known
        point = attrs.evolve(point, closers=word) if word else point
        masked, at = masked_text(text), offset_at(text, Position(line, 0))
        start = at + len(masked[at:]) - len(masked[at:].lstrip())
        if start == point.declaration.start:
            return point
        own = declaration_from(masked, start, point.start)
        return attrs.evolve(point, declaration=attrs.evolve(own, end=point.declaration.end))


def _missing_word(outcome: Outcome, behind: str) -> str:
    """The word behind a proof, as `qed`, that a project's own command needs; empty where it needs none."""
    said = (str(each["message"]) for place, each in outcome.errors() if place >= outcome.shadow.end)
    expected = [word for each in said if each.startswith("unexpected") for word in _EXPECTED.findall(each)]
    return next((word for word in expected if word in behind.split()), "")
