"""The tools of a companion, for the `llmstep mcp` of the same user: its model and its Lean servers do the work.

`POST /tools/NAME` with the arguments of a call; the answer is lines as in `llmstep.engine.wire`, at the end
`{"result": …}` or `{"error": …}`. It has a port of its own, on loopback, and a token that stands in a file of the user.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any

from llmstep.errors import LlmstepError, RequestError
from llmstep.mcp import companion
from llmstep.mcp.companion import Companion
from llmstep.strict_json import JsonError, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from llmstep.app import App
    from llmstep.http.server import HttpServer
    from llmstep.progress import ProgressSink

HOST = "127.0.0.1"

_log = logging.getLogger(__name__)


class Offer:
    """Answers `llmstep mcp` while its companion runs.

    Args:
        app: Does the work.
        folders: Gives the folders that are open in the editor; only files in them are read.
    """

    def __init__(self, app: App, folders: Callable[[], Sequence[Path]]) -> None:
        self._app = app
        self._folders = folders
        self._token = companion.new_token()
        self._server: HttpServer | None = None
        self._task: asyncio.Task[None] | None = None
        app.store.subscribe(lambda settings: settings, self.refresh)

    def refresh(self, *_: object) -> None:
        """The settings have changed, or the folders: listen, write the file anew, or stop, as they say."""
        if not self._wanted:
            self._end()
        elif self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep(), name="llmstep-offer")
        elif self._server is not None:  # else it is just starting, and will write what holds then
            self._announce(self._server)

    async def stop(self) -> None:
        """Stop listening. A second call does nothing."""
        if (task := self._end()) is not None:
            await asyncio.gather(task, return_exceptions=True)

    @property
    def _wanted(self) -> bool:
        settings = self._app.settings
        return settings.share_model and settings.http.enabled

    def _end(self) -> asyncio.Task[None] | None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        return task

    async def _keep(self) -> None:
        """Listen until cancelled."""
        # In a thread: importing the web server takes longer than an answer to the editor may.
        routes = await asyncio.to_thread(self._routes)
        from llmstep.http.server import serve

        try:
            server = self._server = await serve(routes, HOST, 0)
            self._announce(server)
            await server.wait()
        except LlmstepError as error:
            _log.warning("no tools for agents: %s", error)
        finally:
            companion.withdraw(os.getpid())
            if self._server is not None:
                self._server = None
                await server.stop()

    def _announce(self, server: HttpServer) -> None:
        roots = tuple(dict.fromkeys(folder.resolve() for folder in self._folders()))
        key = companion.key_of(self._app.settings)
        try:
            companion.announce(Companion(os.getpid(), server.port, self._token, key, roots))
        except OSError as error:
            _log.warning("llmstep mcp will not find this companion: %s", error)

    def _routes(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.routing import Route

        from llmstep.http.security import SecurityMiddleware
        from llmstep.http.shapes import answer_for

        async def failed(request: Request, error: Exception) -> Response:
            assert isinstance(error, LlmstepError)
            return answer_for(request.url.path, error)

        app = Starlette(
            routes=[Route("/tools/{name}", self._called, methods=["POST"])],
            middleware=[Middleware(SecurityMiddleware, host=HOST, token=self._token)],
            exception_handlers={LlmstepError: failed},
        )
        app.state.stopping = asyncio.Event()
        app.state.draining = False
        return app

    async def _called(self, request: Request) -> Response:
        from llmstep.http.answers import RefusedError
        from llmstep.http.bodies import decoded
        from llmstep.http.candidates import Lines
        from llmstep.mcp import files, tools

        raw = await decoded(request, _arguments)
        tool, wanted = tools.placed(request.path_params["name"], raw)
        try:
            path = files.find(wanted.file, self._folders())
        except files.OutsideError as error:
            raise RefusedError(409, error.message, hint=error.hint) from None

        async def work(progress: ProgressSink) -> dict[str, Any]:
            return await tools.run(self._app, path, tool, wanted, progress)

        return Lines(work, lambda record: {"result": record}, request.app.state.stopping)


def _arguments(body: bytes) -> dict[str, Any]:
    try:
        raw = loads(body)
    except JsonError as error:
        raise RequestError(f"The body {error}.", hint="Send a JSON object.") from None
    if not isinstance(raw, dict):
        raise RequestError("The arguments are no object.", hint="Send a JSON object.")
    return raw
