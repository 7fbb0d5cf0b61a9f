"""`llmstep.trigger = "onIdle"`: a suggestion is begun where the user has rested at a goal for a while.

The protocol has no cursor. The place of the last edit stands for it, and where the client asks for code actions, which
editors do whenever the cursor has moved.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from llmstep.lean.text import offset_at, position_at
from llmstep.lsp.suggest import suggest_quietly
from llmstep.memory import sites_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.lsp.server import LlmstepServer
    from llmstep.memory import Document


class Idle:
    """One timer, started again by every sign of the user."""

    def __init__(self, ls: LlmstepServer) -> None:
        self._ls = ls
        self._timer: asyncio.TimerHandle | None = None

    def touch(self, document: Document, position: types.Position) -> None:
        """The user is here now."""
        self.stop()
        if self._ls.settings.trigger == "onIdle":
            delay = self._ls.settings.idle_delay_ms / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self._rested, document, position)

    def stop(self) -> None:
        """Forget where the user was; work that has begun goes on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rested(self, document: Document, position: types.Position) -> None:
        self._timer = None
        now = self._ls.documents.find(document.uri)
        if now is None or now.version != document.version or self._ls.runs.busy(document.uri):
            return
        _, sites = sites_at(now.text, position)
        if sites and self._ls.memory.known(now, position) is None:
            self._ls.spawn(suggest_quietly(self._ls, now, position))


def end_of_change(document: Document, changes: Sequence[types.TextDocumentContentChangeEvent]) -> types.Position | None:
    """Where the last change ended; None when the whole text was replaced."""
    if not changes or not isinstance(changes[-1], types.TextDocumentContentChangePartial):
        return None
    last = changes[-1]
    return position_at(document.text, offset_at(document.text, last.range.start) + len(last.text))
