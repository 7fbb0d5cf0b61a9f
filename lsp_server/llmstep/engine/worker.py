"""One thread and one queue before one model.

The thread is the only place where the model is touched, and it sleeps while there is nothing to do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import attrs

from llmstep.cancel import CancelToken
from llmstep.errors import BusyError, CancelledError, GenerationError, LlmstepError, causes
from llmstep.progress import ProgressSink, silent

_log = logging.getLogger(__name__)

_NICENESS = 5
"""How much longer the model waits for a processor than the editor's requests and Lean do."""

T = TypeVar("T")


@attrs.define(eq=False)
class Job(Generic[T]):
    """Work for the thread."""

    work: Callable[[Job[T]], T]
    """Called in the thread; looks at `cancel` and calls `progress`."""
    progress: ProgressSink
    cancel: CancelToken = attrs.field(factory=CancelToken)
    """Requested when nobody waits for it any more; the work should end by raising `CancelledError`."""
    future: Future[T] = attrs.field(factory=Future)


class Worker:
    """Runs jobs one after the other, in the order they came.

    Args:
        limit: Most jobs that wait; further ones are refused.
        on_change: Called when the number of waiting jobs changes, in any thread.
    """

    def __init__(self, *, limit: int = 32, on_change: Callable[[], None] = lambda: None) -> None:
        self._limit, self._on_change = limit, on_change
        self._wake = threading.Condition()
        self._waiting: deque[Job[Any]] = deque()
        self._running: Job[Any] | None = None
        self._thread: threading.Thread | None = None
        self.closing = CancelToken()
        """Requested by `close`; what cannot be left in the midst of a job may look at it."""

    @property
    def queued(self) -> int:
        """Number of jobs that wait, the running one not counted."""
        return len(self._waiting)

    def submit(self, work: Callable[[Job[T]], T], progress: ProgressSink = silent) -> Future[T]:
        """Have `work` done; cancelling the future drops the job, or asks it to stop when it runs.

        Raises:
            BusyError, CancelledError: Too many jobs wait; the worker is closed.
        """
        job = Job(work, progress)
        with self._wake:
            if self.closing.requested:
                raise _closed()
            if len(self._waiting) >= self._limit:
                raise BusyError(
                    f"{len(self._waiting)} requests wait for the model already.",
                    hint="Wait until they are done, or cancel some.",
                )
            self._waiting.append(job)
            if self._thread is None:
                # A daemon: a library call that hangs must not keep the process alive.
                self._thread = threading.Thread(target=self._serve, name="llmstep-model", daemon=True)
                self._thread.start()
            self._wake.notify()
        job.future.add_done_callback(lambda future: self._leave(job) if future.cancelled() else None)
        self._on_change()
        return job.future

    def close(self, seconds: float | None = None) -> None:
        """Cancel everything and wait for the thread, at most `seconds`; waiting requests get a `CancelledError`."""
        with self._wake:
            self.closing.request()
            waiting = list(self._waiting)
            self._waiting.clear()
            if self._running is not None:
                self._running.cancel.request()
            self._wake.notify()
        for job in waiting:
            _resolve(job, job.future.set_exception, _closed())
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _leave(self, job: Job[Any]) -> None:
        with self._wake, contextlib.suppress(ValueError):
            job.cancel.request()
            self._waiting.remove(job)
        self._on_change()

    def _serve(self) -> None:
        if sys.platform == "linux":  # where niceness belongs to a thread, and to those that it starts
            thread = threading.get_native_id()
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS))
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self.closing.requested)
                if self.closing.requested:
                    return
                job = self._running = self._waiting.popleft()
            self._on_change()
            _run(job)


def _run(job: Job[Any]) -> None:
    try:
        job.cancel.check("The request was cancelled.")
        result = job.work(job)
    except BaseException as error:
        if not isinstance(error, CancelledError):
            foreseen = isinstance(error, LlmstepError) and not isinstance(error, GenerationError)
            text = "".join(traceback.format_exception(error))
            _log.log(logging.INFO if foreseen else logging.ERROR, "llmstep: a request failed\n%s", text)
        for each in causes(error):
            each.__traceback__ = None  # its frames keep the model alive, and callers may keep an error for long
        _resolve(job, job.future.set_exception, error)
    else:
        _resolve(job, job.future.set_result, result)


def _resolve(job: Job[Any], resolve: Callable[[Any], None], outcome: Any) -> None:
    if job.future.set_running_or_notify_cancel():  # else it was cancelled a moment ago
        resolve(outcome)


def _closed() -> CancelledError:
    return CancelledError("The model's engine was closed.", hint="Start llmstep again.")
