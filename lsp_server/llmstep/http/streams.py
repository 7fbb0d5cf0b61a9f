"""Answers in parts that come while the work goes on: its news, signs of life, and the end."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from starlette.responses import Response

from llmstep.engine import wire
from llmstep.errors import BusyError, LlmstepError
from llmstep.http.answers import RefusedError, unexpected
from llmstep.http.attended import broken_off
from llmstep.progress import Progress, ProgressSink

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

T = TypeVar("T")
N = TypeVar("N")


class Stream(Response, ABC, Generic[T, N]):
    """An answer in parts.

    Args:
        work: Is given a function that takes its news.
    """

    sign: bytes
    """Said where there are no news, so that neither side takes the other for dead."""
    seconds: float
    """How often."""
    begins_at_once = False
    """Whether the status does not wait for the first part; if it waits, what fails before has a status of its own."""

    def __init__(self, work: Callable[[Callable[[N], None]], Coroutine[Any, Any, T]]) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]  # that of an empty body
        self._work = work

    @abstractmethod
    def news(self, one: N) -> bytes:
        """The part for something that the work tells."""

    @abstractmethod
    def end(self, result: T) -> bytes:
        """The last part."""

    @abstractmethod
    def failed(self, error: LlmstepError) -> bytes:
        """The last part where the work fails after the first one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        news: asyncio.Queue[N | None] = asyncio.Queue()
        started = False

        async def say(body: bytes, *, more: bool = True) -> None:
            nonlocal started
            if not started:
                started = True
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": more})

        work = asyncio.ensure_future(self._work(news.put_nowait))
        work.add_done_callback(lambda _: news.put_nowait(None))
        told = asyncio.ensure_future(news.get())
        try:
            if self.begins_at_once:
                await say(b"")
            while True:
                body = self.sign
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with news.
                await asyncio.wait({told}, timeout=self.seconds)
                if told.done():
                    one = told.result()
                    if one is None:
                        break
                    body = self.news(one)
                    told = asyncio.ensure_future(news.get())
                await say(body)
            body = self.end(work.result())
        except asyncio.CancelledError:
            stopped = scope["app"].state.stopping.is_set()
            if not started or not (stopped or work.cancelled()):  # else the client has gone
                raise
            body = self.failed(broken_off(stopped=stopped))
        except Exception as error:
            if not started:
                raise
            body = self.failed(unexpected(error))
        finally:
            for task in (work, told):
                task.cancel()
            await asyncio.gather(work, told, return_exceptions=True)
        await say(body, more=False)


class Lines(Stream[T, Progress]):
    """An answer in lines of JSON.

    Args:
        work: Is given a function that takes its progress.
        last_line: The last line for what the work returns.
    """

    media_type = "application/x-ndjson"
    sign = b"{}\n"
    seconds = wire.SECONDS_BETWEEN_SIGNS
    begins_at_once = True

    def __init__(
        self, work: Callable[[ProgressSink], Coroutine[Any, Any, T]], last_line: Callable[[T], dict[str, Any]]
    ) -> None:
        super().__init__(work)
        self._last_line = last_line

    def news(self, one: Progress) -> bytes:
        return _line(wire.progress_line(one))

    def end(self, result: T) -> bytes:
        return _line(self._last_line(result))

    def failed(self, error: LlmstepError) -> bytes:
        refused = isinstance(error, RefusedError)  # by the queue
        return _line(wire.error_line(BusyError(error.message, hint=error.hint) if refused else error))


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
