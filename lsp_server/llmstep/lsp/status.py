"""What the companion is doing, as `llmstep/status` tells the editor and `llmstep.status` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstep.lsp.own_types import STATUS
from llmstep.lsp.progress import describe

if TYPE_CHECKING:
    from llmstep.engine.progress import Progress
    from llmstep.lsp.server import LlmstepServer


class Status:
    """Sends what has changed; the engine also works for the HTTP endpoint, so it is watched and not only the runs."""

    def __init__(self, ls: LlmstepServer) -> None:
        self._ls = ls
        self._sent: dict[str, Any] = {}
        self._step: Progress | None = None

    def record(self) -> dict[str, Any]:
        """`{state, model, selected, device, lastMs, message, engine, url}`.

        `state` is the engine's, or `starting`, `goal` or `checking`; `model` is the one in memory, `selected` the one
        of the settings, which the next request loads. `engine` is `inProcess`, `openai`, `llmstep`, or `shared` where
        another window's model is used; `url` is that of the server then.
        """
        engine = self._ls.engine
        selected = self._ls.settings.model
        if engine is None:
            return {
                "state": "starting",
                "model": selected,
                "selected": selected,
                "device": "",
                "lastMs": None,
                "message": "",
                "engine": self._ls.settings.engine,
                "url": "",
            }
        status = engine.status
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
            self._ls.protocol.notify(STATUS, record)
