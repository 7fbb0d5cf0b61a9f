"""`llmstep.trigger = "onIdle"`: a suggestion is begun where the user has rested at a goal for a while.

The protocol has no cursor. The place of the last edit stands for it, and where the client asks for code actions, which
editors do whenever the cursor has moved.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from pygls.exceptions import JsonRpcException

from llmstep.lsp.suggest import suggest_quietly

if TYPE_CHECKING:
    from lsprotocol import types

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
        self._ls.spawn(self._look(now, position))

    async def _look(self, document: Document, position: types.Position) -> None:
        with contextlib.suppress(JsonRpcException):  # edited meanwhile
            place = await self._ls.places.at(document, position)
            busy = self._ls.runs.busy(document.uri)
            if place.sites and not busy and self._ls.memory.first(document.uri, place.keys) is None:
                await suggest_quietly(self._ls, document, position)
