"""What goes to the client: encoded and written by a thread, so that a client that does not read holds nothing up."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

MAX_WAITING = 10_000
"""So many messages may wait for a client that does not read; then it counts as gone."""
PAUSE_AT = 1_000
"""With so many waiting, nothing more is read from the client."""

_log = logging.getLogger(__name__)


class Outbox:
    """A queue of messages before a blocking writer, in the order in which they were put in.

    Args:
        write: Writes bytes, all of them; raises OSError when the client has gone.
        lost: Called once, from any thread, when the client has gone or does not read.
    """

    def __init__(self, write: Callable[[bytes], object], lost: Callable[[], object]) -> None:
        self._write = write
        self._lost = lost
        self._queue: queue.SimpleQueue[Callable[[], bytes]] = queue.SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        self._gone = False
        threading.Thread(target=self._work, name="llmstep-out", daemon=True).start()

    def put(self, encode: Callable[[], bytes]) -> None:
        """Send what `encode` returns when its turn has come."""
        if self._gone:
            return
        if self._queue.qsize() >= MAX_WAITING:
            _log.error("the client does not read what llmstep sends; llmstep ends")
            self._lose()
            return
        self._idle.clear()
        self._queue.put(encode)

    def wait_for_room(self) -> None:
        """Wait, in the thread that reads, until the client has read enough to get more answers."""
        while self._queue.qsize() > PAUSE_AT and not self._gone:
            time.sleep(0.01)

    def drain(self, seconds: float) -> None:
        """Wait until all is written, but no longer than this."""
        self._idle.wait(seconds)

    def _lose(self) -> None:
        if not self._gone:
            self._gone = True
            self._idle.set()
            self._lost()

    def _work(self) -> None:
        while not self._gone:
            if self._queue.empty():
                self._idle.set()
            encode = self._queue.get()
            self._idle.clear()
            try:
                data = encode()
            except Exception:
                _log.exception("a message to the client could not be encoded")
                continue
            try:
                self._write(data)
            except (OSError, ValueError):  # ValueError: it was closed
                self._lose()
