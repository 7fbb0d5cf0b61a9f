"""Where candidates may go in open documents: worked out beside the event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import attrs
from cachetools import LRUCache
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.aside import aside
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.lsp.documents import Documents
from llmstep.memory import Document, Memory, SuggestionSet, insertion_points_at

T = TypeVar("T")

_KEPT = 8
"""Editors ask for the code actions of one place again and again."""


@attrs.frozen
class Place:
    """The insertion points that may be meant by a position or range."""

    position: types.Position
    points: list[InsertionPoint]
    keys: list[str]
    """Of the insertion points, as the memory knows them."""


class Places:
    """Answers about texts, for the version that was asked about only."""

    def __init__(self, memory: Memory, documents: Callable[[], Documents]) -> None:
        self._memory = memory
        self._documents = documents
        self._kept: LRUCache[tuple[str, str], Place] = LRUCache(_KEPT)

    async def at(
        self,
        document: Document,
        where: types.Position | types.Range,
        diagnostics: Sequence[types.Diagnostic] = (),
        *,
        latest: bool = True,
    ) -> Place:
        """The insertion points at a place, the likeliest first; none where there is no goal.

        Args:
            latest: The answer is of use only for the latest version.

        Raises:
            JsonRpcException: The document was edited meanwhile, and the latest version is wanted.
        """
        key = (document.text, repr((where, [(each.range, each.message) for each in diagnostics])))
        place = self._kept.get(key)
        if place is None:
            work = partial(_place, document.text, where, diagnostics)
            place = await (self.read(document, work) if latest else aside(work))
            self._kept[key] = place
        return place

    async def known(
        self,
        document: Document,
        where: types.Position | types.Range,
        diagnostics: Sequence[types.Diagnostic] = (),
        *,
        latest: bool = True,
    ) -> SuggestionSet | None:
        """What is remembered for the goal at a place; arguments and errors are those of `at`."""
        if not self._memory.has(document.uri):
            return None
        place = await self.at(document, where, diagnostics, latest=latest)
        return self._memory.first(document.uri, place.keys)

    async def read(self, document: Document, work: Callable[[], T]) -> T:
        """What a function makes of a document's text, beside the event loop.

        Raises:
            JsonRpcException: The document was edited meanwhile.
        """

        def checked() -> T:
            self._check(document)  # what has waited may have nothing to do any more
            return work()

        result = await aside(checked)
        self._check(document)
        return result

    def _check(self, document: Document) -> None:
        now = self._documents().find(document.uri)
        if now is None or now.text is not document.text:
            raise JsonRpcException("The text has changed.", code=int(types.LSPErrorCodes.ContentModified))


def _place(text: str, where: types.Position | types.Range, diagnostics: Sequence[types.Diagnostic]) -> Place:
    position, points = insertion_points_at(text, where, diagnostics)
    return Place(position, points, [point.key(text) for point in points])
