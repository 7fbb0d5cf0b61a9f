"""The HTTP endpoint of the `llmstep` tactic, inside the language server's process.

One companion has the port; another one, of a second window, leaves it to the first and takes over when that goes.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from llmstep.errors import LlmstepError
from llmstep.http.kept import Kept
from llmstep.http.probe import probe

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from llmstep.app import App

_log = logging.getLogger(__name__)


class Endpoint(Kept):
    """Keeps the endpoint where the settings want it."""

    def __init__(self, application: App) -> None:
        super().__init__()
        self._application = application
        self._app: Starlette | None = None
        application.store.subscribe(lambda settings: settings, self._take)
        application.store.subscribe(lambda settings: settings.http, self.follow)

    def _take(self, *_: object) -> None:
        if self._app is not None:
            self._app.state.settings, self._app.state.premises = self._application.settings, self._application.premises

    def place(self) -> tuple[str, int] | None:
        http = self._application.settings.http
        return (http.host, http.port) if http.enabled else None

    def make(self) -> Starlette:
        from llmstep.http.app import create_app

        app = self._application
        self._app = create_app(app.engine, app.settings, token=own_token(), premises=app.premises)
        return self._app

    def on_change(self) -> None:
        if self.url:
            _log.info("the tactic is answered at %s", self.url)

    async def on_failure(self, error: LlmstepError) -> None:
        http = self._application.settings.http
        if held := await probe(http.host, http.port, token=own_token()):
            _log.info("another llmstep answers at %s; this one waits for it to go", held.url)
        else:
            _log.warning("no HTTP endpoint for the tactic: %s", error)


def own_token() -> str | None:
    """The bearer token that the endpoint wants."""
    return os.environ.get("LLMSTEP_TOKEN") or None
