"""The endpoint as an ASGI application.

| request | body | answer |
| --- | --- | --- |
| `POST /` | `{tactic_state, prefix, context}`, optional `count` | `{suggestions, scores, model, elapsed_ms}` |
| `POST /generate` | `{name, input, prefix}` (LeanCopilot) | `{outputs: [{output, score}]}` |
| `POST /candidates` | another llmstep's, see `llmstep.engine.wire` | lines of JSON |
| `POST /v1/completions`, `POST /v1/chat/completions`, `GET /v1/models` | OpenAI's | see `llmstep.http.openai` |
| `POST /api/generate`, `POST /api/chat`, `GET /api/tags` | Ollama's | see `llmstep.http.ollama` |
| `GET /health`, `GET /ready` | | alive; the model is loaded; see `llmstep.http.health` |
| `GET /metrics`, `GET /openapi.json` | | numbers for Prometheus; a description of all this |

An error is a status of 400 or above with `{error, hint, suggestions: []}`, below `/v1` with OpenAI's `{error: {…}}`,
below `/api` with Ollama's `{error}`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llmstep.address import is_loopback
from llmstep.engine.interface import Generation, ModelEngine
from llmstep.engine.wire import CANDIDATES
from llmstep.errors import LlmstepError, SettingsError
from llmstep.http.answers import RefusedError, answer_for, unexpected
from llmstep.http.attended import attend
from llmstep.http.bodies import aside, decoded
from llmstep.http.candidates import candidates
from llmstep.http.fair_queue import FairQueue
from llmstep.http.health import health, ready
from llmstep.http.ollama import ollama_routes
from llmstep.http.openai import openai_routes
from llmstep.http.openapi import openapi
from llmstep.http.requests import SuggestRequest, decode_generate, decode_tactic, whereabouts
from llmstep.http.security import SecurityMiddleware
from llmstep.http.watch import Watch, Watching, metrics
from llmstep.types import PromptInput, SamplingParams
from llmstep.wire.http import GenerateAnswer, GeneratedOutput, TacticAnswer

if TYPE_CHECKING:
    from llmstep.premises.asked import Premises
    from llmstep.settings import Settings

_GONE = Response(status_code=499)  # nobody is there to read it

_log = logging.getLogger(__name__)


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
    app = Starlette(
        routes=[
            Route("/", _endpoint(decode_tactic, _tactic_answer), methods=["POST"], name="suggest"),
            Route("/generate", _endpoint(decode_generate, _generate_answer), methods=["POST"], name="generate"),
            Route(CANDIDATES, candidates, methods=["POST"], name="candidates"),
            *openai_routes(),
            *ollama_routes(),
            Route("/health", health, methods=["GET"], name="health"),
            Route("/ready", ready, methods=["GET"], name="ready"),
            Route("/metrics", metrics, methods=["GET"], name="metrics"),
            Route("/openapi.json", openapi, methods=["GET"], name="openapi"),
        ],
        exception_handlers={
            HTTPException: _http_error,
            LlmstepError: _error,
            ClientDisconnect: _gone,
            Exception: _fault,
        },
    )
    state = app.state
    state.engine = engine
    state.settings = settings
    state.premises = premises
    state.stopping = asyncio.Event()
    state.draining = False
    state.ready = False
    state.admission = FairQueue(
        lambda: at_once or (1 if state.settings.in_process else 16),
        seconds=lambda: (engine.status.last_ms or 0.0) / 1000,
    )
    state.watch = Watch(state, access_log)
    pages = frozenset(route.path for route in app.routes if isinstance(route, Route))
    app.user_middleware = [
        Middleware(Watching, watch=state.watch, pages=pages),
        Middleware(SecurityMiddleware, host=host, token=token, draining=lambda: state.draining),
    ]
    return app


def _endpoint(
    decode: Callable[[bytes], SuggestRequest], encode: Callable[[Generation], dict[str, Any]]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        made = await _generate(request, await decoded(request, decode))
        return _GONE if made is None else JSONResponse(encode(made))

    return endpoint


async def _generate(request: Request, wanted: SuggestRequest) -> Generation | None:
    """The engine's answer, at once where nothing has to be done for it; None when the client goes before.

    Raises:
        LlmstepError: There is none.
    """
    state = request.app.state
    if wanted.ask.goal.solved:
        return Generation([], state.engine.status.model, 0, 0.0)
    if not state.premises:
        if (known := _known(state, wanted.ask, wanted.count)) is not None:
            return known
        state.admission.check(request.state.client)
    return await attend(request, _in_turn(request, wanted))


async def _in_turn(request: Request, wanted: SuggestRequest) -> Generation:
    """The engine's answer in the client's turn, or at once where it is known with the premises found before."""
    state = request.app.state
    premises: Premises | None = state.premises
    ask = wanted.ask
    where = await aside(lambda: whereabouts(ask), len(ask.context)) if premises else None
    if premises and (helpful := premises.known(ask.goal, where)) is not None:
        known = _known(state, attrs.evolve(ask, premises=helpful), wanted.count)
        if known is not None:
            return known
    async with state.admission.turn(request.state.client):
        if premises:
            ask = attrs.evolve(ask, premises=await premises.find(ask.goal, where))
        made: Generation = await state.engine.generate(ask, _sampling(state.settings, wanted.count))
        state.watch.made(made)
        return made


def _known(state: Any, ask: PromptInput, count: int | None) -> Generation | None:
    """The answer that is in memory."""
    known: Generation | None = state.engine.known(ask, _sampling(state.settings, count))
    if known is not None:
        state.watch.made(known)
    return known


def _sampling(settings: Settings, count: int | None) -> SamplingParams | None:
    return None if count is None else SamplingParams.of(settings, count)


def _tactic_answer(generation: Generation) -> dict[str, Any]:
    """A `TacticAnswer`: upstream's `{suggestions}`, with scores, model and time."""
    candidates = generation.candidates
    answer = TacticAnswer(
        suggestions=tuple(candidate.text for candidate in candidates),
        scores=tuple(candidate.score for candidate in candidates),
        model=generation.model,
        elapsed_ms=generation.elapsed_ms,
    )
    return attrs.asdict(answer)


def _generate_answer(generation: Generation) -> dict[str, Any]:
    """A `GenerateAnswer`, LeanCopilot's form; the score is the geometric mean of the token probabilities.

    LeanCopilot wants a number: where no probability is known, all candidates are taken for equally likely.
    """
    equal = 1 / max(1, len(generation.candidates))
    outputs = tuple(
        GeneratedOutput(output=each.text, score=equal if each.score is None else min(1.0, math.exp(each.score)))
        for each in generation.candidates
    )
    return attrs.asdict(GenerateAnswer(outputs=outputs))


async def _error(request: Request, error: Any) -> Response:
    return answer_for(request.url.path, error, retry_after=request.app.state.admission.retry_after)


async def _fault(request: Request, error: Exception) -> Response:
    _log.error("llmstep: a request failed", exc_info=error)
    return answer_for(request.url.path, unexpected(error))


async def _gone(_request: Request, _error: Exception) -> Response:
    return _GONE


async def _http_error(request: Request, error: Any) -> Response:
    """No such page, or not with this method."""
    path = request.url.path[:80]
    message = {
        404: f"There is no {path} here.",
        405: f"{path} does not take {request.method} requests.",
    }.get(error.status_code, error.detail)
    refused = RefusedError(
        error.status_code,
        message,
        hint="The server answers POST /, POST /generate, POST /candidates and GET /health, and OpenAI's API at /v1.",
        headers=error.headers,
    )
    return answer_for(request.url.path, refused)
