"""A server that listens where the settings want it, beside an editor's language server."""

from __future__ import annotations

import asyncio
import importlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from llmstep.errors import LlmstepError

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from llmstep.http.server import HttpServer

_SECONDS_BETWEEN_TRIES = 3.0


class Kept(ABC):
    """Follows the settings; a port that another program has is tried for again and again."""

    def __init__(self) -> None:
        self._server: HttpServer | None = None
        self._look = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    def place(self) -> tuple[str, int] | None:
        """Host and port by the settings; None where there is to be no server."""

    @abstractmethod
    def make(self) -> Starlette:
        """The application."""

    @abstractmethod
    async def on_failure(self, error: LlmstepError) -> None:
        """The server cannot listen; called once until it can."""

    @abstractmethod
    def on_change(self) -> None:
        """It listens, or does no longer."""

    @property
    def url(self) -> str | None:
        """Where it listens; None when it does not."""
        return self._server.url if self._server else None

    def follow(self, *_: object) -> None:
        """Listen where the settings say now; where another program has the port, try for it at once."""
        self._look.set()
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=f"llmstep-{type(self).__name__}")

    async def stop(self) -> None:
        """Stop for good. A second call does nothing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        failed: tuple[str, int] | None = None
        while True:
            self._look.clear()
            place = self.place()
            if place is not None:
                try:
                    await self._serve(place)
                    failed = None
                    continue
                except LlmstepError as error:
                    if failed != place:
                        failed = place
                        await self.on_failure(error)
            await self._wait(_SECONDS_BETWEEN_TRIES if place else None)

    async def _wait(self, seconds: float | None) -> None:
        """Wait until the settings change, and at most so long."""
        look = asyncio.ensure_future(self._look.wait())
        try:  # not `wait_for`, which before Python 3.12 loses a cancellation that comes together with the event
            await asyncio.wait({look}, timeout=seconds)
        finally:
            look.cancel()

    async def _serve(self, place: tuple[str, int]) -> None:
        """Listen until the settings want another place."""
        # In a thread: importing the web server takes longer than an answer to the editor may.
        await asyncio.to_thread(importlib.import_module, "llmstep.http.server")
        from llmstep.http.server import serve

        self._server = server = await serve(self.make(), *place)
        try:
            self.on_change()
            while self.place() == place:
                await self._look.wait()
                self._look.clear()
        finally:
            self._server = None
            self.on_change()
            await server.stop()
