"""Where the user rests: one timer, for `llmstep.trigger = "onIdle"`.

The protocol has no cursor. The place of the last edit stands for it, and where the client asks for code actions, which
editors do whenever the cursor has moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lsprotocol import types

from llmstep.memory import Document
from llmstep.settings import Settings


class Idle:
    """A timer, started again by every sign of the user."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._timer: asyncio.TimerHandle | None = None
        self.on_rest: Callable[[Document, types.Position], None] = lambda *_: None
        """Called with the document as it was, and the place, when the user has rested."""

    def touch(self, document: Document, position: types.Position) -> None:
        """The user is here now."""
        self.stop()
        settings = self._settings()
        if settings.trigger == "onIdle":
            delay = settings.idle_delay_ms / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self._rested, document, position)

    def stop(self) -> None:
        """Forget where the user was; work that has begun goes on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rested(self, document: Document, position: types.Position) -> None:
        self._timer = None
        self.on_rest(document, position)
