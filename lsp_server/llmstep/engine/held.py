"""The model in memory: loaded when a request needs it, given up for another; only the worker's thread touches it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from llmstep.catalog.model_key import ModelKey
from llmstep.engine.loaded import LoadedModel, Plan, release
from llmstep.progress import Progress, ProgressSink, since

if TYPE_CHECKING:
    from llmstep.cancel import CancelToken
    from llmstep.catalog.resolve import ModelChoice
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
        self.model: LoadedModel | None = None
        self._key: ModelKey | None = None
        self._publish = publish
        self._named = named
        self._closing = closing

    @contextlib.contextmanager
    def working(self, job: Job[Any], settings: Settings, choice: ModelChoice) -> Iterator[LoadedModel]:
        """In the worker's thread: the model in memory, while the status says that it works."""
        try:
            model = self.ready(job, settings, choice)
            self._publish(state="generating")
            started = time.perf_counter()
            yield model
            self._publish(last_ms=since(started))
        finally:
            self.rest()

    def ready(self, job: Job[Any], settings: Settings, choice: ModelChoice) -> LoadedModel:
        """In the worker's thread: the model of `choice` in memory.

        The model there now is given up only when the new one is on this machine and looks loadable. Reading the weights
        goes on when the request is cancelled: the next one needs them too, and would start from the beginning.
        """
        if self.model is not None and self.serves(settings, choice):
            return self.model
        self._publish(state="loading", model=choice.name, device="", dtype="")
        from llmstep.engine.prepare import prepare

        def progress(update: Progress) -> None:
            self._publish(state="downloading" if update.stage == "download" else "loading")
            job.progress(update)

        plan = prepare(settings, choice, self.model, progress, job.cancel)
        self.drop()
        self._publish(device=plan.placement.device, dtype=plan.placement.dtype)
        self.model = load(plan, progress, self._closing)
        self._key = ModelKey.of(settings).chosen(choice)
        return self.model

    def serves(self, settings: Settings, choice: ModelChoice) -> bool:
        """Whether the model in memory is the one, on the device and in the format, that is asked for."""
        return self.model is not None and self._key == ModelKey.of(settings).chosen(choice)

    def drop(self) -> None:
        """Free its memory."""
        if self.model is not None:
            device = self.model.plan.placement.device
            self.model = self._key = None
            release(device)

    def rest(self) -> None:
        """After work: say what is in memory."""
        if self.model is None:
            self._publish(state="empty", model=self._named(), device="", dtype="")
        else:
            plan = self.model.plan
            self._publish(state="idle", model=plan.name, device=plan.placement.device, dtype=plan.placement.dtype)


def load(plan: Plan, progress: ProgressSink, cancel: CancelToken) -> LoadedModel:
    """Read the weights. torch, which takes seconds to import, is imported only where our decoder does not run them.

    Raises:
        ModelError: They cannot be loaded.
        CancelledError: `cancel` was requested.
    """
    if plan.needs_torch:
        from llmstep.engine.loader import load as read
    else:
        from llmstep.engine.own_decoder import load as read
    return read(plan, progress=progress, cancel=cancel)
