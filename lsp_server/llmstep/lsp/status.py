"""What the companion is doing, as `llmstep/status` reports to the editor and `llmstep.status` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstep.printable import printable
from llmstep.wire import state
from llmstep.wire.commands import STATUS
from llmstep.wire.records import to_editor

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.app import App
    from llmstep.progress import Progress
    from llmstep.settings import Settings


class Status:
    """Sends what has changed; the engine also works for the HTTP endpoint, so it is watched and not only the runs."""

    def __init__(
        self, app: Callable[[], App | None], settings: Callable[[], Settings], notify: Callable[[str, Any], None]
    ) -> None:
        self._app = app
        self._settings = settings
        self._notify = notify
        self._sent: dict[str, Any] = {}
        self._step: Progress | None = None

    def record(self) -> dict[str, Any]:
        """A `wire.state.Status`, as the editor gets it."""
        answer: dict[str, Any] = to_editor(self.now())
        return answer

    def now(self) -> state.Status:
        """What the server is doing."""
        app = self._app()
        settings = self._settings()
        selected = settings.model if settings.in_process or not settings.remote.url else settings.remote.model
        if app is None:
            return state.Status(
                state="starting",
                model=selected,
                selected=selected,
                device="",
                last_ms=None,
                message="",
                engine=self._settings().engine,
                url="",
            )
        status = app.engine.status
        name: str = status.state
        if self._step is not None:
            name = {"goal": "goal", "check": "checking"}.get(self._step.stage, name)
        return state.Status(
            state=name,
            model=status.model,
            selected=selected,
            device=status.device,
            last_ms=status.last_ms,
            message=describe(self._step) if self._step is not None else "",
            engine=status.engine,
            url=status.url,
        )

    def step(self, progress: Progress | None) -> None:
        """Note the step that the newest run is at; None when it has ended."""
        self._step = progress
        self.send()

    def send(self, *_: object) -> None:
        """Tell the client, if anything has changed."""
        record = self.record()
        if record != self._sent:
            self._sent = record
            self._notify(STATUS, record)


def describe(progress: Progress) -> str:
    """A step in words: `Checking 3/6`, `Loading starter 40 %`."""
    message = printable(progress.message)
    if not progress.total or progress.stage == "search":
        return message
    if progress.stage == "check":
        return f"{message} {progress.done}/{progress.total}"
    return f"{message} {100 * progress.done // progress.total} %"
