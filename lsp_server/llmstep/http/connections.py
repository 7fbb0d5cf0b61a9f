"""Who may hold a connection, and for how long without saying anything.

A connection that waits for its client's bytes costs nothing but its place. Where places run out, the client with the
most connections loses the one that has been silent longest, so that no number of silent ones locks anybody out.
"""

from __future__ import annotations

import contextlib
import math
import time
from typing import Protocol

MAX_CONNECTIONS = 1024
MAX_PER_ADDRESS = 512
"""Behind a proxy everybody has its address, and on loopback the editor and all programs have the same one."""
GRACE_SECONDS = 1.0
"""A connection younger than this is not closed for another: its request is probably on the way."""
_SPARE_FILES = 256
"""Open files that the rest of the process needs."""


class Held(Protocol):
    """A connection."""

    address: str

    def let_go(self) -> None:
        """Close it, because another needs the place."""


class Places:
    """The connections of one server.

    Args:
        max_connections: Most connections.
        max_per_address: Most connections from one address.
    """

    def __init__(self, max_connections: int = MAX_CONNECTIONS, max_per_address: int = MAX_PER_ADDRESS) -> None:
        self.max_connections = max_connections
        self.max_per_address = max_per_address
        self._held: dict[str, dict[Held, float]] = {}
        """By their addresses, with the time from which each waits for bytes; the end of time where it does not."""

    @property
    def count(self) -> int:
        """Number of connections."""
        return sum(map(len, self._held.values()))

    def enter(self, held: Held) -> bool:
        """Take a new connection in; False when there is no place for it.

        One without a place is kept too: its request is answered with why, and ends it.
        """
        free = True
        if len(self._held.get(held.address, ())) >= self.max_per_address:
            free = self._evict(self._held[held.address])
        elif self.count >= self.max_connections:
            free = self._evict(max(self._held.values(), key=len))
        self._held.setdefault(held.address, {})[held] = math.inf
        return free

    def leave(self, held: Held) -> None:
        """A connection has been closed."""
        own = self._held.get(held.address, {})
        own.pop(held, None)
        if not own:
            self._held.pop(held.address, None)

    def waits(self, held: Held) -> None:
        """A connection waits for its client's bytes from now on."""
        self._held[held.address][held] = time.monotonic()

    def works(self, held: Held) -> None:
        """A connection's request is being answered."""
        self._held[held.address][held] = math.inf

    def _evict(self, own: dict[Held, float]) -> bool:
        """Close the one that has been silent longest; False when none was silent long enough."""
        oldest = min(own, key=own.__getitem__)
        if time.monotonic() - own[oldest] < GRACE_SECONDS:
            return False
        oldest.let_go()
        self.leave(oldest)
        return True


def places() -> Places:
    """As many as this process may have open files for; where it may, it allows itself more."""
    files = 1 << 20
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY:
            wanted = MAX_CONNECTIONS * 2 + _SPARE_FILES
            if soft < wanted:
                files = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
            else:
                files = soft
    # Half of the files: connections without a place are open too, until they are closed.
    max_connections = max(16, min(MAX_CONNECTIONS, (files - _SPARE_FILES) // 2))
    return Places(max_connections, max(8, min(MAX_PER_ADDRESS, max_connections // 2)))
