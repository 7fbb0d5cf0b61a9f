"""What goes to the client: encoded and written by a thread, so that a client that does not read holds nothing up."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

PAUSE_AT = 1_000
"""With so many messages waiting, nothing more is read from the client."""
MAX_WAITING = 10_000
"""With so many, the client counts as gone."""

_log = logging.getLogger(__name__)


class Outbox:
    """A queue of messages before a blocking writer, in the order in which they were put in.

    Args:
        write: Writes the body of a message; raises an error when the client has gone.
        lost: Called from any thread when the client has gone or does not read.
    """

    def __init__(self, write: Callable[[bytes], object], lost: Callable[[], object]) -> None:
        self._write = write
        self._lost = lost
        self._queue: queue.SimpleQueue[Callable[[], bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="llmstep-out", daemon=True)
        self._thread.start()

    def put(self, encode: Callable[[], bytes]) -> None:
        """Send what `encode` returns when its turn has come."""
        if self._queue.qsize() < MAX_WAITING:
            self._queue.put(encode)
        else:
            self._lost()

    def wait_for_room(self) -> None:
        """Wait, in the thread that reads, until the client has read enough to get more answers."""
        while self._queue.qsize() > PAUSE_AT and self._thread.is_alive():
            time.sleep(0.01)

    def close(self, seconds: float) -> None:
        """Wait until all is written, but no longer than this."""
        self._queue.put(None)
        self._thread.join(seconds)

    def _work(self) -> None:
        while (encode := self._queue.get()) is not None:
            try:
                body = encode()
            except Exception:
                _log.exception("a message to the client could not be encoded")
                continue
            try:
                self._write(body)
            except Exception as error:
                _log.debug("the client has gone: %s", error)
                self._lost()
                return
