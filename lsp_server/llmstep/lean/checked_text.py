"""A text as it is checked: what stands above is taken as given, and Lean says where the declaration begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from lsprotocol.types import Position

from llmstep.lean.declaration import declaration_from
from llmstep.lean.elide import elide
from llmstep.lean.memo import Memo, digest
from llmstep.lean.text import masked_text, offset_at

if TYPE_CHECKING:
    import asyncio

    from llmstep.lean.insertion_point import InsertionPoint
    from llmstep.lean.shadow import Shadow


@attrs.define(eq=False)
class CheckedText:
    """Makes texts ready for the shadow document of a file."""

    _shadow: Shadow
    _lock: asyncio.Lock
    """Held while the document is in use."""
    _variables_by_proof: bool = attrs.field(kw_only=True)
    """Whether the Lean of the project lets a proof decide which `variable`s a theorem has."""
    _lines: Memo[int] = attrs.field(init=False, factory=lambda: Memo(64))
    """Where commands begin of which text cannot tell that."""

    def forget(self) -> None:
        """Other imports may have other commands."""
        self._lines = Memo(64)

    async def of(self, text: str, point: InsertionPoint) -> tuple[str, InsertionPoint]:
        """The text with what stands above the declaration taken as given, and the insertion point in it."""
        text, point = point.without_mark(text)
        text = elide(text, point.known, variables_by_proof=self._variables_by_proof)
        unsure = point.unsure_from >= 0 and not point.mutual
        return text, await self._in_its_command(text, point) if unsure else point

    async def _in_its_command(self, text: str, point: InsertionPoint) -> InsertionPoint:
        """The insertion point in the declaration that Lean's parser has it in, where text alone does not decide."""
        shadow = point.shadow_text(text, point.placeholder)
        key = digest(shadow.text)
        line = self._lines.get(key)
        if line is None:
            async with self._lock:
                await self._shadow.settle(text[: point.start], shadow)
                line = await self._shadow.command_line(shadow)
            self._lines.put(key, line)
        masked, at = masked_text(text), offset_at(text, Position(line, 0))
        start = at + len(masked[at:]) - len(masked[at:].lstrip())
        return point if start == point.scope else point.inside(declaration_from(masked, start, point.start))
