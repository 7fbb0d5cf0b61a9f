"""What the engine is doing, for a status line, and how others hear of changes."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any, Literal, Union

import attrs

from llmstep.aside import in_this_loop
from llmstep.settings import EngineKind

_log = logging.getLogger(__name__)

State = Literal["empty", "downloading", "loading", "idle", "generating"]
Place = Union[EngineKind, Literal["shared"]]  # noqa: UP007 - evaluated, on Python 3.10 too


@attrs.frozen
class EngineStatus:
    """What the engine is doing."""

    state: State = "empty"
    """`empty`: no model in memory; `idle`: one in memory, nothing to do."""
    model: str = ""
    """The model in memory or on its way there; with `empty`, the one of the settings."""
    device: str = ""
    dtype: str = ""
    last_ms: float | None = None
    """Time that the model took for the last answer, without waiting and loading."""
    queued: int = 0
    """Requests that wait."""
    engine: Place = "inProcess"
    """Where the model runs; `shared`: in another llmstep of this user on this machine."""
    url: str = ""
    """The server that runs it, when it is not this process."""


class StatusBoard:
    """The status now, and those who watch it; usable from any thread."""

    def __init__(self, status: EngineStatus) -> None:
        self.status = status
        self._lock = threading.RLock()
        self._watchers: list[Callable[[EngineStatus], None]] = []

    def watch(self, callback: Callable[[EngineStatus], None]) -> Callable[[], None]:
        """Have `callback` called with every change: in the loop that runs now, else in the thread that makes it.

        Returns:
            What ends that.
        """
        watcher = in_this_loop(callback)
        self._watchers.append(watcher)

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._watchers.remove(watcher)

        return stop

    def publish(self, status: EngineStatus | None = None, **changes: Any) -> None:
        """Change the status, or fields of it; the watchers hear of every change in order."""
        with self._lock:
            before = self.status
            self.status = attrs.evolve(status or before, **changes)
            if self.status == before:
                return
            for watcher in tuple(self._watchers):
                try:
                    watcher(self.status)
                except Exception:
                    _log.exception("llmstep: a watcher of the engine's status failed")
