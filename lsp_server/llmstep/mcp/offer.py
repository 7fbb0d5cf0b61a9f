"""The tools of a companion, for the `llmstep mcp` of the same user: its model and its Lean servers do the work.

`POST /tools/NAME` with the arguments of a call; the answer is lines as in `llmstep.engine.wire`, at the end
`{"result": …}` or `{"error": …}`. It has a port of its own, on loopback, and a token that stands in a file of the user.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmstep.errors import LlmstepError
from llmstep.http.kept import Kept
from llmstep.mcp import companion

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from llmstep.app import App

HOST = "127.0.0.1"

_log = logging.getLogger(__name__)


class Offer(Kept):
    """Answers `llmstep mcp` while its companion runs.

    Args:
        app: Does the work.
        folders: Gives the folders that are open in the editor; only files in them are read.
    """

    def __init__(self, app: App, folders: Callable[[], Sequence[Path]]) -> None:
        super().__init__()
        self._app = app
        self._folders = folders
        self._token = companion.new_token()
        app.store.subscribe(lambda settings: settings, self.refresh)

    def refresh(self, *_: object) -> None:
        """The settings have changed, or the folders."""
        self.follow()
        if self._server is not None:  # else the file will say what holds then
            self.on_change()

    def place(self) -> tuple[str, int] | None:
        settings = self._app.settings
        return (HOST, 0) if settings.share_model and settings.http.enabled else None

    def on_change(self) -> None:
        """Write the file by which `llmstep mcp` finds this companion, or take it away."""
        if self._server is None:
            companion.withdraw(os.getpid())
            return
        roots = tuple(dict.fromkeys(folder.resolve() for folder in self._folders()))
        key = companion.key_of(self._app.settings)
        try:
            companion.announce(companion.Companion(os.getpid(), self._server.port, self._token, key, roots))
        except OSError as error:
            _log.warning("llmstep mcp will not find this companion: %s", error)

    async def on_failure(self, error: LlmstepError) -> None:
        _log.warning("no tools for agents: %s", error)

    def make(self) -> Starlette:
        from starlette.routing import Route

        from llmstep.http.security import guarded_app

        return guarded_app([Route("/tools/{name}", self._called, methods=["POST"])], HOST, self._token)

    async def _called(self, request: Request) -> Response:
        from llmstep.http.answers import RefusedError
        from llmstep.http.bodies import decoded, json_object
        from llmstep.http.streams import line_stream
        from llmstep.mcp.files import OutsideError
        from llmstep.mcp.tools import Call

        raw = await decoded(request, json_object)
        try:
            call = Call.of(request.path_params["name"], raw, self._folders())
        except OutsideError as error:
            raise RefusedError(409, error.message, hint=error.hint) from None
        return line_stream(lambda progress: call.run(self._app, progress), lambda record: {"result": record})
