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
    from llmstep.engine.interface import EngineStatus, ModelEngine


class Status:
    """Sends every change, in order. The engine is watched as well as the runs, as it works for the HTTP endpoint too.

    The engine's thread may be further already than what it has told: a client gets what it told, so that no state is
    left out, however short it was.
    """

    def __init__(self, settings: Callable[[], Settings], notify: Callable[[str, Any], None]) -> None:
        self._settings = settings
        self._notify = notify
        self._told: EngineStatus | None = None
        self._step: Progress | None = None
        self._sent: state.Status | None = None

    def follow(self, engine: ModelEngine) -> None:
        engine.watch(self._engine)
        self._engine(engine.status)

    def step(self, progress: Progress | None) -> None:
        """Note the step that the newest run is at; None when it has ended."""
        self._step = progress
        self.send()

    def send(self) -> None:
        """Tell the client, if anything has changed since the engine began to be followed."""
        if self._told is not None and (record := self.of(self._told)) != self._sent:
            self._sent = record
            self._notify(STATUS, to_editor(record))

    def of(self, status: EngineStatus) -> state.Status:
        """What is shown of an engine's status and the newest run."""
        settings = self._settings()
        name: state.ServerState = status.state
        if self._step is not None and self._step.stage == "check":
            name = "checking"
        elif self._step is not None and self._step.stage == "goal" and name in ("empty", "idle"):
            name = "goal"
        return state.Status(
            state=name,
            model=status.model,
            selected=settings.model if settings.in_process or not settings.remote.url else settings.remote.model,
            device=status.device,
            last_ms=status.last_ms,
            message=describe(self._step) if self._step else "",
            engine=status.engine,
            url=status.url,
        )

    def _engine(self, status: EngineStatus) -> None:
        self._told = status
        self.send()


def describe(progress: Progress) -> str:
    """A step in words: `Checking 3/6`, `Loading starter 40 %`."""
    message = printable(progress.message)
    if not progress.total or progress.stage == "search":
        return message
    if progress.stage == "check":
        return f"{message} {progress.done}/{progress.total}"
    return f"{message} {progress.percent} %"
