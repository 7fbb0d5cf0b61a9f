"""The HTTP endpoint of the `llmstep` tactic, inside the language server's process.

One companion has the port; another one, of a second window, leaves it to the first and takes over when that goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
from typing import TYPE_CHECKING

from llmstep.errors import LlmstepError
from llmstep.http.probe import probe

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from llmstep.app import App
    from llmstep.http.server import HttpServer
    from llmstep.settings import Settings

_SECONDS_BETWEEN_TRIES = 3.0

_log = logging.getLogger(__name__)


class Endpoint:
    """Keeps the endpoint where the settings want it."""

    def __init__(self, application: App) -> None:
        self._application = application
        self._now = asyncio.Event()
        self._app: Starlette | None = None
        self._server: HttpServer | None = None
        self._task: asyncio.Task[None] | None = None
        self._moving: asyncio.Task[None] | None = None
        application.store.subscribe(lambda settings: settings, self._take)
        application.store.subscribe(lambda settings: settings.http, self._move)

    @property
    def _settings(self) -> Settings:
        return self._application.settings

    @property
    def url(self) -> str | None:
        """Where it listens; None when it does not."""
        return self._server.url if self._server else None

    def _take(self, *_: object) -> None:
        if self._app is not None:
            self._app.state.settings, self._app.state.premises = self._settings, self._application.premises

    def _move(self, *_: object) -> None:
        if self._moving is None or self._moving.done():
            self._moving = asyncio.ensure_future(self._restart())

    async def _restart(self) -> None:
        """Listen where the settings say now; they may change once more meanwhile."""
        wanted = None
        while wanted != self._settings.http:
            wanted = self._settings.http
            await self._leave()
            self.start()

    def start(self) -> None:
        """Begin to listen, or to wait for the port."""
        if self._task is None and self._settings.http.enabled:
            self._task = asyncio.create_task(self._keep(), name="llmstep-endpoint")

    def hurry(self) -> None:
        """Try for the port at once: who had it seems to be gone."""
        self._now.set()

    async def stop(self) -> None:
        """Give the port back for good, also in the midst of a move. A second call does nothing."""
        if self._moving is not None:
            self._moving.cancel()
            await asyncio.gather(self._moving, return_exceptions=True)
        await self._leave()

    async def _leave(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        """Listen as soon as the port is free, until cancelled."""
        http = self._settings.http
        # In a thread: importing the web server takes longer than an answer to the editor may.
        await asyncio.to_thread(importlib.import_module, "llmstep.http.server")
        shown = False
        while True:
            try:
                await self._listen()
                shown = False
            except LlmstepError as error:
                if not shown:
                    shown = True
                    if held := await probe(http.host, http.port, token=own_token()):
                        _log.info("another llmstep answers at %s; this one waits for it to go", held.url)
                    else:
                        _log.warning("no HTTP endpoint for the tactic: %s", error)
            self._now.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._now.wait(), _SECONDS_BETWEEN_TRIES)

    async def _listen(self) -> None:
        """Listen until the server ends or the wait is cancelled.

        Raises:
            LlmstepError: The address cannot be had.
        """
        from llmstep.http.app import create_app
        from llmstep.http.server import serve

        http = self._settings.http
        self._app = create_app(
            self._application.engine, self._settings, token=own_token(), premises=self._application.premises
        )
        server = self._server = await serve(self._app, http.host, http.port)
        _log.info("the tactic is answered at %s", server.url)
        try:
            await server.wait()
        finally:
            self._app = self._server = None
            await server.stop()


def own_token() -> str | None:
    """The bearer token that the endpoint wants."""
    return os.environ.get("LLMSTEP_TOKEN") or None
