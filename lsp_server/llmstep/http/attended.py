"""Work for a client: it is cancelled when the client goes, or the server stops."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from llmstep.errors import CancelledError, LlmstepError
from llmstep.http.answers import unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.requests import Request
    from starlette.types import Receive

T = TypeVar("T")

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


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
