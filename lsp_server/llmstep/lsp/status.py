"""What the companion is doing, as `llmstep/status` reports to the editor and `llmstep.status` answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llmstep.printable import printable
from llmstep.progress import Progress
from llmstep.settings import Settings
from llmstep.wire import state
from llmstep.wire.commands import STATUS
from llmstep.wire.records import to_editor

if TYPE_CHECKING:
    from llmstep.app import App
    from llmstep.engine.interface import EngineStatus


class Status:
    """Sends every change, in order. The engine is watched as well as the runs, as it works for the HTTP endpoint too.

    The engine's thread may be further already than what it has told: a client gets what it told, so that no state is
    left out, however short it was.
    """

    def __init__(
        self, app: Callable[[], App | None], settings: Callable[[], Settings], notify: Callable[[str, Any], None]
    ) -> None:
        self._app = app
        self._settings = settings
        self._notify = notify
        self._sent: state.Status | None = None
        self._heard: EngineStatus | None = None
        self._step: Progress | None = None

    def now(self) -> state.Status:
        """What the server is doing."""
        app = self._app()
        return self._record(app.engine.status if app is not None else None)

    def _record(self, status: EngineStatus | None) -> state.Status:
        settings = self._settings()
        selected = settings.model if settings.in_process or not settings.remote.url else settings.remote.model
        name: state.ServerState = "starting" if status is None else status.state
        if self._step is not None and status is not None:
            if self._step.stage == "check":
                name = "checking"
            elif self._step.stage == "goal" and name in ("empty", "idle"):
                name = "goal"
        return state.Status(
            state=name,
            model=selected if status is None else status.model,
            selected=selected,
            device="" if status is None else status.device,
            last_ms=None if status is None else status.last_ms,
            message="" if self._step is None or status is None else describe(self._step),
            engine=settings.engine if status is None else status.engine,
            url="" if status is None else status.url,
        )

    def step(self, progress: Progress | None) -> None:
        """Note the step that the newest run is at; None when it has ended."""
        self._step = progress
        self.send()

    def engine(self, status: EngineStatus) -> None:
        """Note what the engine tells of itself."""
        self._heard = status
        self.send()

    def send(self) -> None:
        """Tell the client, if anything has changed."""
        app = self._app()
        if self._heard is None and app is not None:
            self._heard = app.engine.status
        record = self._record(self._heard)
        if record != self._sent:
            self._sent = record
            self._notify(STATUS, to_editor(record))


def describe(progress: Progress) -> str:
    """A step in words: `Checking 3/6`, `Loading starter 40 %`."""
    message = printable(progress.message)
    if not progress.total or progress.stage == "search":
        return message
    if progress.stage == "check":
        return f"{message} {progress.done}/{progress.total}"
    return f"{message} {100 * progress.done // progress.total} %"
