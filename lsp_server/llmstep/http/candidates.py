"""`POST /candidates`: what another llmstep asks; see `llmstep.engine.wire` for the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from llmstep.catalog.model_key import ModelKey
from llmstep.engine import wire
from llmstep.engine.interface import Generation
from llmstep.errors import BusyError, CancelledError, LlmstepError
from llmstep.http.answers import RefusedError, unexpected
from llmstep.http.bodies import decoded
from llmstep.http.requests import decode_candidates, is_solved

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from llmstep.engine.interface import ModelEngine
    from llmstep.engine.progress import Progress

_log = logging.getLogger(__name__)


async def candidates(request: Request) -> Response:
    """The endpoint.

    Raises:
        RefusedError: This llmstep has no model of its own, or not the one that is wanted.
        RequestError: The body is malformed.
    """
    wanted = await decoded(request, decode_candidates)
    state = request.app.state
    if state.settings.engine == "llmstep":
        raise RefusedError(
            409, "This llmstep asks another one itself.", hint="Ask that one directly; chains could end in a circle."
        )
    if wanted.model_key is not None and wanted.model_key != ModelKey.of(state.settings).digest:
        raise RefusedError(409, "This llmstep uses another model by now.", hint="Load the model yourself.")

    async def work(tell: Callable[[Progress], None]) -> Generation:
        if is_solved(wanted.ask.goal):
            return Generation([], state.engine.status.model, 0, 0.0)
        known: Generation | None = state.engine.known(wanted.ask, wanted.sampling)
        if known is not None:
            return known
        async with state.admission.turn(request.state.client):
            made: Generation = await state.engine.generate(wanted.ask, wanted.sampling, on_progress=tell)
            state.watch.made(made)
            return made

    return _Lines(work, state.engine, state.stopping)


class _Lines(Response):
    """The answer as it comes: progress, signs of life, and the end. The work is cancelled when the client goes."""

    media_type = "application/x-ndjson"

    def __init__(
        self,
        work: Callable[[Callable[[Progress], None]], Awaitable[Generation]],
        engine: ModelEngine,
        stopping: asyncio.Event,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]  # that of an empty body
        self._work = work
        self._engine = engine
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        news: asyncio.Queue[Progress | None] = asyncio.Queue()
        work = asyncio.ensure_future(self._work(news.put_nowait))
        gone = asyncio.ensure_future(disconnected(receive))
        stop = asyncio.ensure_future(self._stopping.wait())
        tasks = (work, gone, stop)
        for task in tasks:
            task.add_done_callback(lambda _: news.put_nowait(None))
        try:
            while not any(task.done() for task in tasks):
                line: dict[str, Any] = {}
                with contextlib.suppress(asyncio.TimeoutError):
                    progress = await asyncio.wait_for(news.get(), wire.SECONDS_BETWEEN_SIGNS)
                    if progress is None:
                        continue
                    line = wire.progress_line(progress)
                await _send(send, line)
            if not gone.done():
                await _send(send, self._last_line(work), end=True)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _last_line(self, work: asyncio.Future[Generation]) -> dict[str, Any]:
        if not work.done():
            return wire.error_line(CancelledError("The llmstep server is stopping.", hint="Start it again."))
        if work.cancelled():
            return wire.error_line(CancelledError("The generation was cancelled.", hint="Ask again."))
        error = work.exception()
        if isinstance(error, RefusedError):  # by the queue
            error = BusyError(error.message, hint=error.hint)
        if isinstance(error, LlmstepError):
            return wire.error_line(error)
        if error is not None:
            _log.error("llmstep: a request failed", exc_info=error)
            return wire.error_line(unexpected(error))
        return wire.generation_line(work.result(), self._engine.status.device)


async def disconnected(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, line: dict[str, Any], *, end: bool = False) -> None:
    body = json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    await send({"type": "http.response.body", "body": body, "more_body": not end})
