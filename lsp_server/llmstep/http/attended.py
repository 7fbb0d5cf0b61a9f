"""A request's work ends when its client goes, or the server stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmstep.errors import CancelledError, LlmstepError
from llmstep.http.answers import answer_for, unexpected

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AttendingMiddleware:
    """ASGI middleware that cancels the work for whoever has gone, and answers for work that came to no end.

    Args:
        app: Does the work.
        stopping: Set when the server stops.
    """

    def __init__(self, app: ASGIApp, *, stopping: asyncio.Event) -> None:
        self.app = app
        self.stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = [await receive()] if scope["method"] == "POST" else []  # whole, since it has passed the guards
        gone = asyncio.ensure_future(_disconnected(receive))
        stop = asyncio.ensure_future(self.stopping.wait())
        started = complete = False

        async def received() -> Message:
            return body.pop() if body else await asyncio.shield(gone)

        async def sent(message: Message) -> None:
            nonlocal started, complete
            started = True
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        work = asyncio.ensure_future(self.app(scope, received, sent))
        try:
            await asyncio.wait({work, gone, stop}, return_when=asyncio.FIRST_COMPLETED)
            if complete:
                await asyncio.wait({work})
        finally:
            for task in (work, gone, stop):
                task.cancel()
            await asyncio.gather(work, gone, stop, return_exceptions=True)
        error = _error(work, stopped=self.stopping.is_set())
        if error is not None and not started and gone.cancelled():
            await answer_for(scope["path"], error)(scope, receive, send)


def _error(work: asyncio.Future[None], *, stopped: bool) -> LlmstepError | None:
    """Why work has no answer; None where it has one."""
    if work.cancelled():
        return broken_off(stopped=stopped)
    error = work.exception()
    return None if error is None else unexpected(error)


def broken_off(*, stopped: bool) -> CancelledError:
    """What is said of work that the end of the server, or the engine, has cancelled."""
    if stopped:
        return CancelledError("The llmstep server is stopping.", hint="Start it again.")
    return CancelledError("The generation was cancelled.", hint="Ask again.")


async def _disconnected(receive: Receive) -> Message:
    while (message := await receive())["type"] != "http.disconnect":
        pass
    return message
