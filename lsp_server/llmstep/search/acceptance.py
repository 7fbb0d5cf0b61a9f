"""The last word on a proof: the whole file, as it would be with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from llmstep.lean.insertion_point import PLACEHOLDER
from llmstep.search.script import join

if TYPE_CHECKING:
    from llmstep.lean.insertion_points import InsertionPoint
    from llmstep.lean.workspace import LeanWorkspace

_NUMBER = re.compile(r"\?[mu]\.\d+")


@attrs.define(eq=False)
class Acceptance:
    """Whether a file takes a proof at one insertion point."""

    _lean: LeanWorkspace
    """Runs the file."""
    _uri: str
    _text: str
    _point: InsertionPoint
    """Where the proof goes."""
    _before: Counter[str] | None = attrs.field(init=False, default=None)
    refused: int = attrs.field(init=False, default=0)
    """Number of proofs that it did not take."""

    async def accepts(self, steps: Sequence[str]) -> bool:
        """Whether the whole file has no error with the proof that it does not have with `sorry` in its place.

        Raises:
            LeanError: Lean cannot be started or does not answer.
        """
        if self._before is None:
            self._before = await self._errors(PLACEHOLDER)
        accepted = not (await self._errors(join(steps)) - self._before)
        self.refused += not accepted
        return accepted

    async def _errors(self, proof: str) -> Counter[str]:
        """How often each message comes; the numbers of metavariables differ between runs."""
        messages = await self._lean.errors(self._uri, self._point.apply(self._text, proof))
        return Counter(_NUMBER.sub("?", message) for message in messages)
