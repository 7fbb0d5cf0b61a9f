"""An answer in lines of JSON that come while the work goes on: progress, signs of life, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from starlette.responses import Response

from llmstep.engine import wire
from llmstep.errors import BusyError, LlmstepError
from llmstep.http.answers import RefusedError
from llmstep.http.attended import Attended

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.types import Receive, Scope, Send

    from llmstep.progress import Progress, ProgressSink

T = TypeVar("T")


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
        work: Callable[[ProgressSink], Coroutine[Any, Any, T]],
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
        work, wake = self._work(news.put_nowait), functools.partial(news.put_nowait, None)
        async with Attended(work, receive, self._stopping, wake) as attended:
            while not attended.interrupted:
                line: dict[str, Any] = {}
                with contextlib.suppress(asyncio.TimeoutError):
                    progress = await asyncio.wait_for(news.get(), wire.SECONDS_BETWEEN_SIGNS)
                    if progress is None:
                        break
                    line = wire.progress_line(progress)
                await _send(send, line)
            if not attended.abandoned:
                await _send(send, self._last_line(attended), end=True)

    def _last_line(self, attended: Attended[T]) -> dict[str, Any]:
        try:
            return self._result(attended.result())
        except RefusedError as error:  # by the queue
            return wire.error_line(BusyError(error.message, hint=error.hint))
        except LlmstepError as error:
            return wire.error_line(error)


async def _send(send: Send, line: dict[str, Any], *, end: bool = False) -> None:
    body = json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    await send({"type": "http.response.body", "body": body, "more_body": not end})
