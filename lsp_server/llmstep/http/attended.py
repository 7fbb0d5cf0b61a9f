"""Work for a client: it is cancelled when the client goes, or the server stops; its answer may come in parts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from starlette.responses import Response

from llmstep.errors import CancelledError, LlmstepError
from llmstep.http.answers import answer_for, unexpected

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

T = TypeVar("T")
N = TypeVar("N")

_log = logging.getLogger(__name__)


class Attended(Generic[T]):
    """The work, as a context: whatever still goes on at its end is cancelled.

    Args:
        work: Begins at once.
        receive: Tells when the client goes.
        stopping: Set when the server stops.
        on_end: Called when the work ends, the client goes or the server stops.
    """

    def __init__(
        self,
        work: Coroutine[Any, Any, T],
        receive: Receive,
        stopping: asyncio.Event,
        on_end: Callable[[], object] = lambda: None,
    ) -> None:
        self._work = asyncio.ensure_future(work)
        self._gone = asyncio.ensure_future(_disconnected(receive))
        self._stop = asyncio.ensure_future(stopping.wait())
        self._tasks: tuple[asyncio.Future[Any], ...] = (self._work, self._gone, self._stop)
        for task in self._tasks:
            task.add_done_callback(lambda _: on_end())

    async def __aenter__(self) -> Attended[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def interrupted(self) -> bool:
        """Whether the client has gone or the server stops."""
        return self._gone.done() or self._stop.done()

    @property
    def abandoned(self) -> bool:
        """Whether the client has gone before the work ended, so that nobody is there to read an answer."""
        return self._gone.done() and not self._work.done()

    async def ended(self) -> None:
        """Wait until the work ends, the client goes or the server stops."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    def result(self) -> T:
        """What the work returned.

        Raises:
            LlmstepError: It failed, or did not come to its end.
        """
        if not self._work.done():
            raise CancelledError("The llmstep server is stopping.", hint="Start it again.")
        if self._work.cancelled():
            raise CancelledError("The generation was cancelled.", hint="Ask again.")
        error = self._work.exception()
        if error is not None and not isinstance(error, LlmstepError):
            _log.error("llmstep: a request failed", exc_info=error)
            raise unexpected(error)
        return self._work.result()


async def attend(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What work for a request returns; None when the client goes before.

    Raises:
        LlmstepError: As `Attended.result`.
    """
    async with Attended(work, request.receive, request.app.state.stopping) as attended:
        await attended.ended()
        return None if attended.abandoned else attended.result()


class Stream(Response, ABC, Generic[T, N]):
    """An answer in parts that come while the work goes on: its news, signs of life, and the end.

    Args:
        work: Is given a function that takes its news.
        stopping: Set when the server stops.
    """

    sign: bytes
    """Said where there are no news, so that neither side takes the other for dead."""
    seconds: float
    """How often."""
    begins_at_once = False
    """Whether the status does not wait for the first part; if it waits, what fails before has a status of its own."""

    def __init__(self, work: Callable[[Callable[[N], None]], Coroutine[Any, Any, T]], stopping: asyncio.Event) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]  # that of an empty body
        self._work = work
        self._stopping = stopping

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

        if self.begins_at_once:
            await say(b"")
        async with Attended(
            self._work(news.put_nowait), receive, self._stopping, lambda: news.put_nowait(None)
        ) as attended:
            while not attended.interrupted:
                body = self.sign
                with contextlib.suppress(asyncio.TimeoutError):
                    one = await asyncio.wait_for(news.get(), self.seconds)
                    if one is None:
                        break
                    body = self.news(one)
                await say(body)
            if attended.abandoned:
                return
            try:
                body = self.end(attended.result())
            except LlmstepError as error:
                if not started:
                    retry_after = scope["app"].state.admission.retry_after
                    await answer_for(scope["path"], error, retry_after=retry_after)(scope, receive, send)
                    return
                body = self.failed(error)
            await say(body, more=False)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
