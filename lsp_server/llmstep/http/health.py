"""`GET /health`: the process is alive. `GET /ready`: the model is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs
from starlette.responses import JSONResponse

from llmstep import __version__
from llmstep.catalog.model_key import ModelKey
from llmstep.engine.wire import PROTOCOL
from llmstep.wire.http import HealthAnswer, ReadyAnswer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def health(request: Request) -> Response:
    """Alive: always 200."""
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
    """200 from when the model is loaded; 503 before, and when the server ends.

    A model whose memory was freed after an idle time does not count as missing: the next request loads it.
    """
    state = request.app.state
    now = state.engine.status.state
    state.ready = state.ready or now in ("idle", "generating")
    if state.draining or state.stopping.is_set():
        return JSONResponse({"ready": False, "error": "The server is ending."}, 503, {"Retry-After": "1"})
    if not state.ready:
        said = {
            "downloading": "The model is being downloaded.",
            "loading": "The model is being loaded.",
        }.get(now, "The model is not loaded yet.")
        return JSONResponse({"ready": False, "error": said}, 503, {"Retry-After": "1"})
    return JSONResponse(attrs.asdict(ReadyAnswer(ready=True, model=state.engine.status.model)))
