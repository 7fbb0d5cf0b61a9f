"""What the companion is doing, as `llmstep/status` tells the editor and `llmstep.status` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstep.lsp.own_types import STATUS
from llmstep.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.app import App
    from llmstep.engine.progress import Progress
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
        """`{state, model, selected, device, lastMs, message, engine, url}`.

        `state` is the engine's, or `starting`, `goal` or `checking`; `model` is the one in memory, `selected` the one
        of the settings, which the next request loads. `engine` is `inProcess`, `openai`, `llmstep`, or `shared` where
        another window's model is used; `url` is that of the server then.
        """
        app = self._app()
        selected = self._settings().model
        if app is None:
            return {
                "state": "starting",
                "model": selected,
                "selected": selected,
                "device": "",
                "lastMs": None,
                "message": "",
                "engine": self._settings().engine,
                "url": "",
            }
        status = app.engine.status
        state: str = status.state
        message = ""
        if self._step is not None:
            message = describe(self._step)
            state = {"goal": "goal", "check": "checking"}.get(self._step.stage, state)
        return {
            "state": state,
            "model": status.model,
            "selected": selected,
            "device": status.device,
            "lastMs": status.last_ms,
            "message": message,
            "engine": status.engine,
            "url": status.url,
        }

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
