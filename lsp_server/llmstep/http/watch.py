"""What a server does, for those who run it: `/health`, `/ready`, numbers for Prometheus, a line of JSON a request.

None holds a goal, a step, a token, or anything else that a client wrote, except the name that it gives itself.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection
from datetime import datetime, timezone
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llmstep import __version__
from llmstep.catalog.model_key import ModelKey
from llmstep.engine.interface import Generation
from llmstep.engine.wire import PROTOCOL
from llmstep.wire.http import HealthAnswer, ReadyAnswer

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_STATES = ("empty", "downloading", "loading", "idle", "generating")


class Watch:
    """The numbers of one application.

    Args:
        state: That of the application, with the engine and the queue.
        pages: Paths that are counted each on its own; all others are one page, for their names are the clients'.
        log: Takes the lines of the access log; None keeps none.
    """

    def __init__(self, state: Any, pages: Collection[str], log: Callable[[str], object] | None = None) -> None:
        self._pages = pages
        self._log = log
        self._registry = CollectorRegistry()
        made: dict[str, Any] = {"registry": self._registry, "namespace": "llmstep"}
        Info("build", "The version.", **made).info({"version": __version__})
        self._requests = Counter("requests", "Requests answered.", ["page", "status"], **made)
        about = "From the head of a request to the end of its answer."
        self._seconds = Histogram("request_seconds", about, ["page"], buckets=_SECONDS, **made)
        self.open = Gauge("requests_open", "Requests being answered.", **made)
        self._samples = Counter("samples", "Samples drawn from the model.", **made)
        self._tokens = Counter("tokens", "Tokens of those samples, as far as they are known.", **made)
        self._remembered = Counter("remembered", "Requests answered from memory.", **made)
        for name, about, value in (
            ("queue_waiting", "Requests that wait for their turn.", lambda: state.admission.waiting),
            ("queue_running", "Requests that the model works at.", lambda: state.admission.running),
            ("draining", "1 while the server ends and takes nothing new.", lambda: float(state.draining)),
        ):
            Gauge(name, about, **made).set_function(value)
        self._engine = state.engine
        self._model_state = Gauge("model_state", "1 for the state that the model is in.", ["state"], **made)
        self._model = Gauge("model", "1, with the name of the model.", ["name"], **made)

    def made(self, generation: Generation) -> None:
        """Count an answer of the engine."""
        if generation.cached:
            self._remembered.inc()
        else:
            self.drew(sum(each.tokens for each in generation.candidates), generation.drawn)

    def drew(self, tokens: int, samples: int) -> None:
        """Count samples and their tokens."""
        self._tokens.inc(tokens)
        self._samples.inc(samples)

    def answered(self, scope: Scope, status: int, seconds: float, came: int, went: int) -> None:
        """Count and log a request, of which so many bytes of a body came, and so many of an answer went."""
        page = scope["path"] if scope["path"] in self._pages else "other"
        self._requests.labels(page, str(status)).inc()
        self._seconds.labels(page).observe(seconds)
        if self._log is not None:
            address = scope.get("client")
            line = {
                "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
                "address": address[0] if address else "",
                "client": scope.get("state", {}).get("client", ""),
                "method": scope["method"],
                "page": page,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "bytes_in": came,
                "bytes_out": went,
            }
            self._log(json.dumps(line))

    def page(self, accept: str) -> Response:
        """The numbers, in the form that the scraper reads."""
        status = self._engine.status
        for name in _STATES:
            self._model_state.labels(name).set(name == status.state)
        self._model.clear()
        self._model.labels(status.model).set(1)
        try:
            encode, kind = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number
            encode, kind = choose_encoder("")
        return Response(encode(self._registry), headers={"Content-Type": kind})


@attrs.frozen
class Watching:
    """ASGI middleware that has every request counted and logged, refused ones too."""

    app: ASGIApp
    watch: Watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 499  # the client went before there was one
        came = went = 0

        async def received() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            nonlocal status, went
            status = message.get("status", status)
            went += len(message.get("body", b""))
            await send(message)

        try:
            with self.watch.open.track_inprogress():
                await self.app(scope, received, sent)
        finally:
            self.watch.answered(scope, status, time.perf_counter() - started, came, went)


async def metrics(request: Request) -> Response:
    page: Response = request.app.state.watch.page(request.headers.get("accept", ""))
    return page


async def health(request: Request) -> Response:
    """`GET /health`: the process is alive; always 200."""
    state = request.app.state
    answer = HealthAnswer(
        status="ok",
        name="llmstep",
        version=__version__,
        model=state.engine.status.model,
        state=state.engine.status.state,
        protocol=PROTOCOL,
        model_key=ModelKey.of(state.settings).digest,
        pid=os.getpid(),
        waiting=state.admission.waiting,
    )
    return JSONResponse(attrs.asdict(answer))


async def ready(request: Request) -> Response:
    """`GET /ready`: 200 from when the model is loaded; 503 before, and when the server ends.

    A model whose memory was freed after an idle time does not count as missing: the next request loads it.
    """
    state = request.app.state
    now = state.engine.status.state
    state.ready = state.ready or now in ("idle", "generating")
    said = {
        "downloading": "The model is being downloaded.",
        "loading": "The model is being loaded.",
    }.get(now, "The model is not loaded yet.")
    if state.draining or state.stopping.is_set():
        said = "The server is ending."
    elif state.ready:
        return JSONResponse(attrs.asdict(ReadyAnswer(ready=True, model=state.engine.status.model)))
    return JSONResponse({"ready": False, "error": said}, 503, {"Retry-After": "1"})
