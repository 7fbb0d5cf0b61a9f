"""Requests that ask the same at the same time share one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import attrs

from llmstep.errors import CancelledError
from llmstep.progress import Progress, ProgressSink, silent

T = TypeVar("T")


@attrs.define(eq=False)
class _Flight(Generic[T]):
    listeners: list[ProgressSink] = attrs.field(factory=list)
    callers: int = 0
    task: asyncio.Task[T] = attrs.field(init=False)

    def progress(self, update: Progress) -> None:
        for progress in tuple(self.listeners):
            progress(update)


class SingleFlight(Generic[T]):
    """The work in flight, by what it answers; the counterpart of the worker's queue for work that only waits."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._flights)

    async def join(
        self, key: Hashable, work: Callable[[ProgressSink], Awaitable[T]], progress: ProgressSink = silent
    ) -> T:
        """What `work` returns, done once for all who ask at the same time; cancelled when all of them have gone.

        Raises:
            CancelledError: `close` was called.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.ensure_future(self._do(key, flight, work))
        flight.callers += 1
        flight.listeners.append(progress)
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if self._closed and flight.task.cancelled():
                raise CancelledError("The engine was closed.", hint="Start llmstep again.") from None
            raise
        finally:
            flight.callers -= 1
            flight.listeners.remove(progress)
            if not flight.callers and not flight.task.done():
                self._forget(key, flight)
                flight.task.cancel()
                await asyncio.gather(flight.task, return_exceptions=True)  # the request is closed when this returns

    async def close(self) -> None:
        """Cancel all work."""
        self._closed = True
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _do(self, key: Hashable, flight: _Flight[T], work: Callable[[ProgressSink], Awaitable[T]]) -> T:
        try:
            return await work(flight.progress)
        finally:
            self._forget(key, flight)

    def _forget(self, key: Hashable, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
