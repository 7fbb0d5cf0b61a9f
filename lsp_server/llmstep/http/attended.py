"""A request's work ends when its client goes, or the server stops; whatever it ends with, there is an answer."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llmstep.errors import CancelledError
from llmstep.http.answers import answer_for, unexpected


async def attended(app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    """Have a request answered by `app`, of a `guarded_app`; errors are answered here.

    Args:
        body: That of the request, which has been read.
    """
    state = scope["app"].state
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.ensure_future(_disconnected(receive))
    stop = asyncio.ensure_future(state.stopping.wait())
    started = complete = False

    async def received() -> Message:
        return messages.pop() if messages else await asyncio.shield(gone)

    async def sent(message: Message) -> None:
        nonlocal started, complete
        started = True
        complete = message["type"] == "http.response.body" and not message.get("more_body")
        await send(message)

    work = asyncio.ensure_future(app(scope, received, sent))
    try:
        await asyncio.wait({work, gone, stop}, return_when=asyncio.FIRST_COMPLETED)
        if complete:
            await asyncio.wait({work})
    finally:
        for task in (work, gone, stop):
            task.cancel()
        await asyncio.gather(work, gone, stop, return_exceptions=True)
    error = broken_off(stopped=state.stopping.is_set()) if work.cancelled() else work.exception()
    if error is not None and not started and gone.cancelled():
        await answer_for(scope["path"], unexpected(error), retry_after=state.retry_after())(scope, receive, send)


def broken_off(*, stopped: bool) -> CancelledError:
    """What is said of work that the end of the server, or the engine, has cancelled."""
    if stopped:
        return CancelledError("The llmstep server is stopping.", hint="Start it again.")
    return CancelledError("The generation was cancelled.", hint="Ask again.")


async def _disconnected(receive: Receive) -> Message:
    while (message := await receive())["type"] != "http.disconnect":
        pass
    return message
