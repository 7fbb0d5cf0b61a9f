"""The HTTP endpoint of the `llmstep` tactic in the language server's process, and one model for all windows.

One companion has the port; another one, of a second window, leaves it to the first, asks the first for candidates, and
takes over when that goes. Only a process of this user and this version that has the same model in mind is asked.
Anything may listen at a loopback port, also a program of another user of the machine; so the process that it names is
looked up, and must listen there itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from llmstep import __version__
from llmstep.catalog.model_key import ModelKey
from llmstep.errors import LlmstepError
from llmstep.http.kept import Kept
from llmstep.http.probe import probe
from llmstep.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from llmstep.app import App
    from llmstep.engine.remote.place import Place

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

    async def neighbour(self, settings: Settings) -> Place | None:
        """The llmstep to be asked for candidates; None where the model is to be loaded here."""
        return None if self.url else await lender(settings, gone=self.follow)


def own_token() -> str | None:
    """The bearer token that the endpoint wants."""
    return os.environ.get("LLMSTEP_TOKEN") or None


async def lender(settings: Settings, gone: Callable[[], None] = lambda: None) -> Place | None:
    """The llmstep at the port of the settings, where it has the model that they mean; None where there is none.

    Args:
        gone: Called when nobody answers there.
    """
    from llmstep.engine.remote.place import Key, Place

    http, token = settings.http, own_token()
    if not settings.share_model or not http.enabled:
        return None
    health = await probe(http.host, http.port, token=token)
    if health is None:
        gone()
        return None
    key = ModelKey.of(settings).digest
    if (health.version, health.model_key) != (__version__, key):
        return None
    if not await asyncio.to_thread(listens, health.pid, http.port):
        return None
    return Place(health.url, Key(token) if token else None, loopback=True, model_key=key)


def listens(pid: int, port: int) -> bool:
    """Whether a process of this user listens at a port."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.username() != psutil.Process().username():
            return False
        return any(
            each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in process.net_connections("tcp")
        )
    except (psutil.Error, OSError, ValueError):
        return False
