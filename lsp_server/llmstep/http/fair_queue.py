"""Turns before the engine, fair between clients.

A group shares one model. Of the clients that wait, the one that was served least recently comes next, whatever number
of requests the others have sent; a client that has something in work already comes behind those that have nothing.
Both the queue and the part of it that one client may fill are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable

from cachetools import FIFOCache

from llmstep.http.answers import RefusedError

MAX_WAITING = 128
MAX_PER_CLIENT = 64
_MAX_REMEMBERED = 1024


class FairQueue:
    """A bounded queue; belongs to one asyncio loop.

    Args:
        at_once: Gives the number of requests that may be in work at a time.
        seconds: Gives about how long one request takes, for `Retry-After`.
    """

    def __init__(self, at_once: Callable[[], int] = lambda: 1, seconds: Callable[[], float] = lambda: 1.0) -> None:
        self._at_once = at_once
        self._seconds = seconds
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        """In the order in which they came."""
        self._running: Counter[str] = Counter()
        self._served: FIFOCache[str, int] = FIFOCache(_MAX_REMEMBERED)
        """When a client was served last, as the number of turns given until then."""
        self._turns = 0

    @property
    def waiting(self) -> int:
        """Number of requests that wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Number of requests in work."""
        return self._running.total()

    @property
    def retry_after(self) -> int:
        """Seconds after which the queue has probably emptied: 1 to 60."""
        return max(1, min(60, round((self.waiting + 1) * self._seconds() / max(1, self._at_once()) + 0.5)))

    @contextlib.asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn, which lasts as long as the block; raises RefusedError where too many wait."""
        own = sum(each == client for each, _ in self._waiting)
        if own >= MAX_PER_CLIENT:
            hint = "Try again when some of them are answered."
            raise RefusedError(429, f"{own} of your requests wait already.", hint=hint)
        if self.waiting >= MAX_WAITING:
            raise RefusedError(429, f"{self.waiting} requests wait already.", hint="Try again in a while.")
        place = client, asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._give_turns()
        try:
            await place[1]
            yield
        finally:
            if place in self._waiting:
                self._waiting.remove(place)
            elif not place[1].cancelled():  # its turn had come
                self._running -= Counter([client])
                self._give_turns()

    def _give_turns(self) -> None:
        while self._waiting and self.running < self._at_once():
            place = min(self._waiting, key=lambda each: (self._running[each[0]], self._served.get(each[0], 0)))
            self._waiting.remove(place)
            client, ready = place
            if not ready.done():  # else its request has gone
                self._running[client] += 1
                self._turns += 1
                self._served[client] = self._turns
                ready.set_result(None)
