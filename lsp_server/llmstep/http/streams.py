"""Answers in parts that come while the work goes on: its news, signs of life, and the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llmstep.engine import wire
from llmstep.errors import BusyError, LlmstepError
from llmstep.http.answers import RefusedError, unexpected
from llmstep.http.attended import broken_off
from llmstep.progress import ProgressSink

T = TypeVar("T")
Say = Callable[[bytes], None]


class Stream(Response):
    """An answer in parts. The status waits for the first: what fails before has a status of its own.

    Args:
        work: Is given what sends a part, and returns the last one.
        failed: Gives the last part where the work fails after the first one.
        sign: Sent again and again, so that neither side takes the other for dead.
        seconds: How often that is sent.
    """

    def __init__(
        self,
        work: Callable[[Say], Coroutine[Any, Any, bytes]],
        *,
        failed: Callable[[LlmstepError], bytes],
        sign: bytes,
        seconds: float,
        media_type: str,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store"}, media_type=media_type)
        del self.headers["content-length"]  # that of an empty body
        self._work = work
        self._failed = failed
        self._sign = sign
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        work = asyncio.ensure_future(self._work(parts.put_nowait))
        work.add_done_callback(lambda _: parts.put_nowait(None))
        signs = asyncio.ensure_future(self._say_signs(parts.put_nowait))
        started = False

        async def say(body: bytes, *, more: bool = True) -> None:
            nonlocal started
            if not started:
                started = True
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": body, "more_body": more})

        try:
            while (part := await parts.get()) is not None:
                await say(part)
            last = work.result()
        except asyncio.CancelledError:
            stopped = scope["app"].state.stopping.is_set()
            if not started or not (stopped or work.cancelled()):  # else the client has gone
                raise
            last = self._failed(broken_off(stopped=stopped))
        except Exception as error:
            if not started:
                raise
            last = self._failed(unexpected(error))
        finally:
            for task in (work, signs):
                task.cancel()
            await asyncio.gather(work, signs, return_exceptions=True)
        await say(last, more=False)

    async def _say_signs(self, say: Say) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            say(self._sign)


def line_stream(
    work: Callable[[ProgressSink], Coroutine[Any, Any, T]], last_line: Callable[[T], dict[str, Any]]
) -> Stream:
    """An answer in lines of JSON, which begins at once.

    Args:
        work: Is given a function that takes its progress.
        last_line: Gives the last line for what the work returns.
    """

    async def said(say: Say) -> bytes:
        say(b"")
        return _line(last_line(await work(lambda progress: say(_line(wire.progress_line(progress))))))

    def failed(error: LlmstepError) -> bytes:
        refused = isinstance(error, RefusedError)  # by the queue
        return _line(wire.error_line(BusyError(error.message, hint=error.hint) if refused else error))

    sign, seconds = b"{}\n", wire.SECONDS_BETWEEN_SIGNS
    return Stream(said, failed=failed, sign=sign, seconds=seconds, media_type="application/x-ndjson")


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
