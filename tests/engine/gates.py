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

    def __call__(self, job: Job[Any]) -> Any:
        self.runs += 1
        self.started.set()
        job.progress(Progress("generate", "waiting"))
        try:
            while not self.open.wait(0.001):
                if job.cancel.requested:
                    raise CancelledError("stopped")
            return self.result
        finally:
            self.ended.set()
