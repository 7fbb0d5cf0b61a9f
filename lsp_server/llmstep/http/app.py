"""The endpoint as an ASGI application, and its pages.

An error is a status of 400 or above with `{error, hint, suggestions: []}`, below `/v1` with OpenAI's `{error: {…}}`,
below `/api` with Ollama's `{error}`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llmstep import __version__
from llmstep.address import is_loopback
from llmstep.engine.interface import ModelEngine
from llmstep.engine.wire import CANDIDATES
from llmstep.errors import SettingsError
from llmstep.http import ollama, openai, steps
from llmstep.http.fair_queue import FairQueue
from llmstep.http.openai_requests import REFUSED, ChatBody, CompletionBody
from llmstep.http.security import guarded_app
from llmstep.http.watch import Watch, Watching, health, metrics, ready
from llmstep.settings import Settings
from llmstep.wire import http as forms

if TYPE_CHECKING:
    from llmstep.premises.asked import Premises


@attrs.frozen
class Page:
    """A page of the server; those that take a body take it by POST."""

    path: str
    endpoint: Callable[[Request], Awaitable[Response]]
    about: str
    answer: type | None = None
    """The class that describes it; None where another protocol does."""
    body: type | None = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"


@functools.cache
def description() -> dict[str, Any]:
    """The server as OpenAPI describes it, which scripts/reference.py writes from `PAGES`."""
    made: dict[str, Any] = json.loads(Path(__file__).with_name("openapi.json").read_text(encoding="utf-8"))
    made["info"]["version"] = __version__
    return made


async def openapi(_request: Request) -> Response:
    return JSONResponse(description())


_COMPLETIONS = f"OpenAI's completions. Refused: {', '.join(REFUSED)}."
_CHATS = "OpenAI's chats, with the same refusals."
_CANDIDATES = "Candidates for another llmstep, as lines of JSON."
_chat = functools.partial(openai.completions, chat=True)
_ollama_chat = functools.partial(ollama.generate, chat=True)
PAGES = (
    Page("/", steps.tactic, "Next steps for a goal.", forms.TacticAnswer, forms.TacticBody),
    Page("/generate", steps.generate, "Next steps for LeanCopilot.", forms.GenerateAnswer, forms.GenerateBody),
    Page(CANDIDATES, steps.candidates, _CANDIDATES, body=forms.CandidatesBody),
    Page("/v1/completions", openai.completions, _COMPLETIONS, body=CompletionBody),
    Page("/v1/chat/completions", _chat, _CHATS, body=ChatBody),
    Page("/v1/models", openai.models, "The one model."),
    Page("/v1/models/{model:path}", openai.model, "The one model, by its name."),
    Page("/api/generate", ollama.generate, "Ollama's generate.", body=ollama.OllamaGenerateBody),
    Page("/api/chat", _ollama_chat, "Ollama's chat.", body=ollama.OllamaChatBody),
    Page("/api/tags", ollama.tags, "Ollama's list of models."),
    Page("/api/version", ollama.version, "The version."),
    Page("/health", health, "The process is alive.", forms.HealthAnswer),
    Page("/ready", ready, "The model is loaded.", forms.ReadyAnswer),
    Page("/metrics", metrics, "Numbers for Prometheus."),
    Page("/openapi.json", openapi, "This description."),
)


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
    app = guarded_app(routes, host, token)
    state = app.state
    state.retry_after = lambda: queue.retry_after
    state.engine = engine
    state.settings = settings
    state.premises = premises
    state.ready = False
    state.admission = queue
    state.watch = Watch(state, {page.path for page in PAGES}, access_log)
    app.add_middleware(Watching, watch=state.watch)
    return app
