"""Work for the queue that the test holds."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from llmstep.errors import CancelledError
from llmstep.progress import Progress

if TYPE_CHECKING:
    from llmstep.engine.worker import Job

LONG = 20.0
"""Seconds after which a wait in a test has failed."""


class Gate:
    """Work that starts, waits to be let through or cancelled, and counts how often it ran."""

    def __init__(self, result: Any = "done") -> None:
        self.result = result
        self.runs = 0
        self.started = threading.Event()
        self.open = threading.Event()
        self.ended = threading.Event()
        self._looks = threading.Semaphore(0)

    def __call__(self, job: Job[Any]) -> Any:
        self.runs += 1
        self.started.set()
        job.progress(Progress("generate", "waiting"))
        try:
            while not self.open.wait(0.001):
                if job.cancel.requested:
                    raise CancelledError("stopped")
                self._looks.release()
            return self.result
        finally:
            self.ended.set()

    def goes_on(self) -> bool:
        """Whether the work looks once more whether it is cancelled, and finds that it is not."""
        while self._looks.acquire(blocking=False):
            pass
        return all(self._looks.acquire(timeout=LONG) for _ in range(2))  # the first may have begun before
