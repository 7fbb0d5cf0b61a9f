"""An answer in lines of JSON that come while the work goes on: progress, signs of life, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from starlette.responses import Response

from llmstep.engine import wire
from llmstep.errors import BusyError, CancelledError, LlmstepError
from llmstep.http.answers import RefusedError, unexpected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from llmstep.progress import Progress, ProgressSink

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Lines(Response, Generic[T]):
    """The answer; the work is cancelled when the client goes.

    Args:
        work: Is given a function that takes its progress.
        last_line: The last line for what the work returns.
        stopping: Set when the server stops.
    """

    media_type = "application/x-ndjson"

    def __init__(
        self,
        work: Callable[[ProgressSink], Awaitable[T]],
        last_line: Callable[[T], dict[str, Any]],
        stopping: asyncio.Event,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]  # that of an empty body
        self._work = work
        self._result = last_line
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

    def _last_line(self, work: asyncio.Future[T]) -> dict[str, Any]:
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
        return self._result(work.result())


async def disconnected(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, line: dict[str, Any], *, end: bool = False) -> None:
    body = json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    await send({"type": "http.response.body", "body": body, "more_body": not end})
