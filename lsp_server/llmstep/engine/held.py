"""The model in memory: loaded when a request needs it, given up for another; only the worker's thread touches it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from llmstep.progress import Progress, since

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmstep.cancel import CancelToken
    from llmstep.catalog.resolve import ModelChoice
    from llmstep.engine.runner import Runner
    from llmstep.engine.worker import Job
    from llmstep.settings import Settings


class Held:
    """At most one model.

    Args:
        publish: Takes changes of the status.
        named: Gives the model of the settings.
        closing: Requested when the engine ends, so that reading weights may stop.
    """

    def __init__(self, publish: Callable[..., None], named: Callable[[], str], closing: CancelToken) -> None:
        self.runner: Runner | None = None
        self._publish = publish
        self._named = named
        self._closing = closing

    @contextlib.contextmanager
    def working(self, job: Job[Any], settings: Settings, choice: ModelChoice) -> Iterator[Runner]:
        """In the worker's thread: the model in memory, while the status says that it works."""
        try:
            runner = self.ready(job, settings, choice)
            self._publish(state="generating")
            started = time.perf_counter()
            yield runner
            self._publish(last_ms=since(started))
        finally:
            self.rest()

    def ready(self, job: Job[Any], settings: Settings, choice: ModelChoice) -> Runner:
        """In the worker's thread: the model of `choice` in memory.

        The model there now is given up only when the new one is on this machine and looks loadable. Reading the weights
        goes on when the request is cancelled: the next one needs them too, and would start from the beginning.
        """
        if self.runner is not None and self.runner.serves(settings, choice):
            return self.runner
        self._publish(state="loading", model=choice.name, device="", dtype="")
        from llmstep.engine.prepare import prepare
        from llmstep.engine.runner import Runner

        def progress(update: Progress) -> None:
            self._publish(state="downloading" if update.stage == "download" else "loading")
            job.progress(update)

        plan = prepare(settings, choice, self.runner, progress, job.cancel)
        self.drop()
        self._publish(device=plan.placement.device, dtype=plan.placement.dtype)
        self.runner = Runner.load(plan, settings, choice, progress, self._closing)
        return self.runner

    def drop(self) -> None:
        runner, self.runner = self.runner, None
        if runner is not None:
            runner.release()

    def rest(self) -> None:
        """After work: say what is in memory."""
        if self.runner is None:
            self._publish(state="empty", model=self._named(), device="", dtype="")
        else:
            plan = self.runner.plan
            self._publish(state="idle", model=plan.name, device=plan.placement.device, dtype=plan.placement.dtype)
