"""The endpoint as an ASGI application; `llmstep.http.openapi.PAGES` lists its pages.

An error is a status of 400 or above with `{error, hint, suggestions: []}`, below `/v1` with OpenAI's `{error: {…}}`,
below `/api` with Ollama's `{error}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Route

from llmstep.address import is_loopback
from llmstep.engine.interface import ModelEngine
from llmstep.errors import SettingsError
from llmstep.http.fair_queue import FairQueue
from llmstep.http.openapi import PAGES
from llmstep.http.security import guarded_app
from llmstep.http.watch import Watch, Watching
from llmstep.settings import Settings

if TYPE_CHECKING:
    from llmstep.premises.asked import Premises


def create_app(
    engine: ModelEngine,
    settings: Settings,
    *,
    token: str | Mapping[str, str] | None = None,
    at_once: int = 0,
    premises: Premises | None = None,
    access_log: Callable[[str], object] | None = None,
) -> Starlette:
    """The application; `app.state.settings` and `app.state.premises` may be replaced while it runs.

    Args:
        engine: Where candidates come from; the caller opens and closes it.
        settings: `http.host` is the host the server will be bound to; the sampling settings are the defaults.
        token: Bearer token that every request must carry, or several by the names of their owners.
        at_once: Most requests that the engine works at; 0 takes one for a model in this process, which answers one
            after the other, and 16 for a server, which may take them together.
        access_log: Takes a line of JSON for each request.
        premises: Finds premises for the tactic and for LeanCopilot. Other llmsteps and OpenAI's clients send their own.

    Raises:
        SettingsError: Other machines could reach the server, and there is no token.
    """
    host = settings.http.host
    if not token and not is_loopback(host):
        raise SettingsError(
            f"llmstep does not listen at {host or 'all addresses'} without a token, because other machines reach it.",
            hint="Put a secret into a file and give --token-file FILE, or set LLMSTEP_TOKEN, or listen at 127.0.0.1.",
        )
    queue = FairQueue(
        lambda: at_once or (1 if app.state.settings.in_process else 16),
        seconds=lambda: (engine.status.last_ms or 0.0) / 1000,
    )
    routes = [Route(page.path, page.endpoint, methods=[page.method]) for page in PAGES]
    app = guarded_app(routes, host, token, retry_after=lambda: queue.retry_after)
    state = app.state
    state.engine = engine
    state.settings = settings
    state.premises = premises
    state.ready = False
    state.admission = queue
    state.watch = Watch(state, {page.path for page in PAGES}, access_log)
    app.add_middleware(Watching, watch=state.watch)
    return app
