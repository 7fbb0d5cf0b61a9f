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
        self._at: tuple[str, int] | None = None
        self._now = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._moving: asyncio.Task[None] | None = None

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
        """Listen where the settings say now."""
        if self._moving is None or self._moving.done():
            self._moving = asyncio.create_task(self._follow())

    def hurry(self) -> None:
        """Try for the port at once: who had it seems to be gone."""
        self._now.set()

    async def stop(self) -> None:
        """Stop for good, also in the midst of a move. A second call does nothing."""
        if self._moving is not None:
            self._moving.cancel()
            await asyncio.gather(self._moving, return_exceptions=True)
        await self._leave()

    async def _follow(self) -> None:
        while (wanted := self.place()) != self._at:  # the settings may change once more meanwhile
            await self._leave()
            self._at = wanted
            if wanted is not None:
                self._listening = asyncio.create_task(self._keep(*wanted), name=f"llmstep-{type(self).__name__}")

    async def _leave(self) -> None:
        task, self._listening, self._at = self._listening, None, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self, host: str, port: int) -> None:
        """Listen as soon as the port is free, until cancelled."""
        # In a thread: importing the web server takes longer than an answer to the editor may.
        await asyncio.to_thread(importlib.import_module, "llmstep.http.server")
        from llmstep.http.server import serve

        failed = False
        while True:
            try:
                self._server = server = await serve(self.make(), host, port)
                failed = False
                self.on_change()
                try:
                    await server.wait()
                finally:
                    self._server = None
                    self.on_change()
                    await server.stop()
            except LlmstepError as error:
                if not failed:
                    failed = True
                    await self.on_failure(error)
            self._now.clear()
            now = asyncio.ensure_future(self._now.wait())
            try:  # not `wait_for`, which before Python 3.12 loses a cancellation that comes together with the event
                await asyncio.wait({now}, timeout=_SECONDS_BETWEEN_TRIES)
            finally:
                now.cancel()
