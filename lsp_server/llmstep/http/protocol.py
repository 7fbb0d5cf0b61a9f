"""Uvicorn's protocol with limits on time and number, and with errors in JSON.

A client has so long for the head of a request, for its body, and for reading the answer, however slowly the bytes
trickle. What uvicorn says in plain text by itself, it says here in the form of all other errors.
"""

from __future__ import annotations

import asyncio
import http
import json
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from llmstep.http.answers import RefusedError, answer_for
from llmstep.http.security import BODY_SECONDS

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from llmstep.http.connections import Places

HEAD_SECONDS = 10.0
"""Longest time for the head of a request, from its first byte or from the opening of the connection."""
UNPLACED_SECONDS = 2.0
"""The same for a connection that there is no place for."""
WRITE_SECONDS = 30.0
"""Longest time in which a client reads nothing of an answer that is larger than the buffers."""
RETRY_AFTER = "1"
_READ_BYTES = 1 << 14
"""Read at a time: so many bytes can be thousands of chunks, and others have to get their turn in between."""


class Protocol(H11Protocol):
    """One connection.

    Args:
        places: The connections of the server.
    """

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
        self._places = places
        self._placed = True
        self._phase = ""
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if hasattr(transport, "max_size"):  # of asyncio's own transports
            transport.max_size = _READ_BYTES
        self._placed = self._places.enter(self)
        if not self._placed:
            self.app = self._no_place
        self._enter("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self._enter("closed")
        self._places.leave(self)
        self._stop_writing_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        cycle = self.cycle
        if cycle is not None and cycle.response_complete and not cycle.more_body and not self.conn.trailing_data[0]:
            self._enter("idle")  # uvicorn's timer for connections that are kept alive runs until the next byte
        else:
            self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_writing_timer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        if len(self.conn.trailing_data[0]) > 16_000:
            self._say(431, "The head of the request is too long.", "Send shorter headers.")
        else:
            self._say(
                400, "The request is not valid HTTP/1.1.", "Send it with a client's library, with one Host header."
            )

    def let_go(self) -> None:
        """Close a silent connection, because another needs the place."""
        self._enter("closed")
        if not self.transport.is_closing():
            self.transport.close()

    def _look(self) -> None:
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._enter("head")
        else:
            self._enter("body" if cycle.more_body else "work")

    def _enter(self, phase: str) -> None:
        """Note what the connection waits for now; the time for it begins when it changes."""
        if phase == self._phase or self._phase == "closed":
            return
        self._phase = phase
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        if phase in ("work", "closed"):
            self._places.works(self)
            return
        self._places.waits(self)
        if phase == "head":
            seconds = HEAD_SECONDS if self._placed else UNPLACED_SECONDS
            self._reading = self.loop.call_later(seconds, self._too_slow)
        elif phase == "body":
            self._reading = self.loop.call_later(2 * BODY_SECONDS, self.transport.abort)

    def _too_slow(self) -> None:
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0] and (self.cycle is None or self.cycle.response_complete):
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

    async def _no_place(self, scope: Any, receive: Any, send: Any) -> None:
        error = RefusedError(
            429,
            "Too many connections are open already.",
            hint="Try again in a while, with fewer at once.",
            headers={"Retry-After": RETRY_AFTER, "Connection": "close"},
        )
        await answer_for(scope["path"], error)(scope, receive, send)

    def _stop_writing_timer(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
