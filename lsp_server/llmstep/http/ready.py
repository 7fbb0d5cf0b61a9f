"""`GET /ready`: whether the model is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from starlette.responses import JSONResponse

from llmstep.wire.http import ReadyAnswer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


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
