"""Connections: who may hold one, how long a client may be silent, and errors of the protocol in JSON.

A client has so long for the head of a request, for its body, and for reading the answer, however slowly the bytes
trickle. A connection that waits for its client's bytes costs nothing but its place. Where places run out, the client
with the most connections loses the one that has been silent longest, so that no number of silent ones locks anybody
out.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import math
import time
from collections import Counter
from typing import Any

import attrs
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from llmstep.http.answers import RefusedError, answer_for
from llmstep.http.security import BODY_SECONDS

MAX_CONNECTIONS = 1024
GRACE_SECONDS = 1.0
"""A connection younger than this is not closed for another: its request is probably on the way."""
HEAD_SECONDS = 10.0
"""Longest time for the head of a request, from its first byte or from the opening of the connection."""
UNPLACED_SECONDS = 2.0
"""The same for a connection that there is no place for."""
WRITE_SECONDS = 30.0
"""Longest time in which a client reads nothing of an answer that is larger than the buffers."""
_READ_BYTES = 1 << 14
"""Read at a time: so many bytes can be thousands of chunks, and others have to get their turn in between."""
_MAX_HEAD = 16_000
_SPARE_FILES = 256
"""Open files that the rest of the process needs."""


@attrs.frozen
class Places:
    """The connections of one server."""

    max_connections: int
    max_per_address: int
    """Behind a proxy everybody has its address, and on loopback the editor and all programs have the same one."""
    held: list[Connection] = attrs.field(factory=list, init=False)

    def enter(self, new: Connection) -> bool:
        """Take a new connection in; False when there is no place for it.

        One without a place is kept too: its request is answered with why, and ends it.
        """
        counts = Counter(each.address for each in self.held)
        free = True
        if counts[new.address] >= self.max_per_address:
            free = self._evict(new.address)
        elif len(self.held) >= self.max_connections:
            free = self._evict(counts.most_common(1)[0][0])
        self.held.append(new)
        return free

    def leave(self, held: Connection) -> None:
        """A connection has been closed."""
        if held in self.held:
            self.held.remove(held)

    def _evict(self, address: str) -> bool:
        """Close the address's connection that was silent longest; False when none was silent long enough."""
        oldest = min((each for each in self.held if each.address == address), key=lambda each: each.silent_since)
        if time.monotonic() - oldest.silent_since < GRACE_SECONDS:
            return False
        oldest.let_go()
        self.leave(oldest)
        return True


def places() -> Places:
    """As many as this process may have open files for; where it may, it allows itself more."""
    files = 2 * MAX_CONNECTIONS + _SPARE_FILES
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < files:
            files = files if hard == resource.RLIM_INFINITY else min(hard, files)
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    # Half of the files: connections without a place are open too, until they are closed.
    max_connections = max(16, (files - _SPARE_FILES) // 2)
    return Places(max_connections, max_connections // 2)


class Connection(H11Protocol):
    """One connection, in uvicorn's protocol."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        places: Places,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.address = ""
        self.silent_since = math.inf
        """When it began to wait for its client's bytes; the end of time where it does not."""
        self._places = places
        self._placed = True
        self._state = ""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if hasattr(transport, "max_size"):  # of asyncio's own transports
            transport.max_size = _READ_BYTES
        self._placed = self._places.enter(self)
        if not self._placed:
            self.app = _no_place
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._places.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._look()

    def send_400_response(self, msg: str) -> None:
        if len(self.conn.trailing_data[0]) > _MAX_HEAD:
            self._say(431, "The head of the request is too long.", "Send shorter headers.")
        else:
            self._say(
                400, "The request is not valid HTTP/1.1.", "Send it with a client's library, with one Host header."
            )

    def let_go(self) -> None:
        """Close a silent connection, because another needs the place."""
        self.transport.close()

    def _look(self) -> None:
        """Note what the connection waits for now; the time for it begins when it changes."""
        state = self._waits_for()
        if state == self._state:
            return
        self._state = state
        if self._timer is not None:
            self._timer.cancel()
        self.silent_since = math.inf if state in ("work", "write") else time.monotonic()
        seconds = {
            "head": HEAD_SECONDS if self._placed else UNPLACED_SECONDS,
            "body": 2 * BODY_SECONDS,
            "write": WRITE_SECONDS,
        }.get(state)  # uvicorn itself looks after connections that are kept alive
        if seconds is not None:
            self._timer = self.loop.call_later(seconds, self._too_slow)

    def _waits_for(self) -> str:
        cycle = self.cycle
        if self.flow.write_paused:
            return "write"
        if cycle is not None and not cycle.response_complete:
            return "body" if cycle.more_body else "work"
        idle = cycle is not None and not cycle.more_body and not self.conn.trailing_data[0]
        return "idle" if idle else "head"

    def _too_slow(self) -> None:
        if self._state != "head":
            self.transport.abort()
        elif self.conn.trailing_data[0]:
            self._say(
                408, f"The head of the request did not arrive within {HEAD_SECONDS:g} seconds.", "Send it in one piece."
            )
        else:
            self.transport.close()

    def _say(self, status: int, message: str, hint: str) -> None:
        """Answer a request that never became one, and close."""
        if self.transport.is_closing():
            return
        body = json.dumps({"error": message, "hint": hint, "suggestions": []}).encode()
        head = (
            f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


async def _no_place(scope: Any, receive: Any, send: Any) -> None:
    error = RefusedError(
        429,
        "Too many connections are open already.",
        hint="Try again in a while, with fewer at once.",
        headers={"Retry-After": "1", "Connection": "close"},
    )
    await answer_for(scope["path"], error)(scope, receive, send)
