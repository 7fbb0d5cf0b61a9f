"""The door to the model of this process: ask, load, unload, and see what is going on.

    generate -> cache -> worker's queue -> [download -> load ->] encode -> decode -> finish -> cache

Everything behind the queue happens in the worker's thread, the import of torch and transformers included, so that the
event loop goes on answering.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

import attrs

from llmstep.aside import in_this_loop
from llmstep.catalog.model_key import ModelKey
from llmstep.catalog.resolve import ModelChoice
from llmstep.engine.answers import Answers, answer_key
from llmstep.engine.completion import complete
from llmstep.engine.decode import answer
from llmstep.engine.interface import Answer, Completion, EngineStatus, Generation, ModelEngine, Text, Turn, Written
from llmstep.engine.loaded import LoadedModel, release
from llmstep.engine.prepare import chosen, is_large, load, prepare
from llmstep.engine.worker import Job, Worker
from llmstep.errors import LlmstepError
from llmstep.progress import Progress, ProgressSink, generating, silent, since, thinned
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.types import PromptInput, SamplingParams

T = TypeVar("T")

_CLOSE_SECONDS = 10.0
"""Longest wait for the worker at the end; reading weights cannot be interrupted between two tensors."""


class Engine(ModelEngine):
    """One model in this process, one queue, one cache of answers.

    Args:
        settings: Model, device, sampling. When they change, requests from then on have the new ones and those in flight
            keep theirs; another model is loaded, and the one in memory freed, with the next request.
    """

    def __init__(self, settings: Settings | SettingsStore) -> None:
        store = SettingsStore.of(settings)
        super().__init__(store, EngineStatus(model=store.current.model))
        self._chosen: tuple[ModelKey, ModelChoice] | None = None
        self._answers = Answers()
        self._worker = Worker(on_change=self._publish)
        self._model: LoadedModel | None = None
        self._model_key: ModelKey | None = None
        self.store.subscribe(lambda settings: settings.model, self._named)
        self.store.subscribe(lambda settings: settings.idle_unload_minutes, self._rest)

    async def generate(
        self, prompt_input: PromptInput, sampling: SamplingParams | None = None, *, progress: ProgressSink = silent
    ) -> Generation:
        started = time.perf_counter()
        settings = self.settings
        choice = await self._choice(settings)
        wanted = sampling or SamplingParams.of(settings)
        draw = partial(answer, template=choice.template, prompt_input=prompt_input, sampling=wanted)
        key = _key(settings, choice, prompt_input, wanted)
        return await self._answers.answer(key, partial(self._drawn, settings, choice, draw), progress, started=started)

    def known(self, prompt_input: PromptInput, sampling: SamplingParams | None = None) -> Generation | None:
        settings = self.settings
        choice = self._known_choice(settings)
        if choice is None:
            return None
        return self._answers.known(_key(settings, choice, prompt_input, sampling or SamplingParams.of(settings)))

    async def complete(
        self, text: Text, sampling: SamplingParams, *, on_written: Callable[[int, Written], None] | None = None
    ) -> Completion:
        settings = self.settings
        choice = await self._choice(settings)
        heard = on_written and in_this_loop(on_written)
        draw = partial(complete, template=choice.template, text=text, sampling=sampling, on_written=heard)
        return await self._drawn(settings, choice, draw)

    async def converse(
        self, turns: Sequence[Turn], sampling: SamplingParams, *, progress: ProgressSink = silent
    ) -> Answer:
        made = await self.complete(Text(messages=tuple(turns)), attrs.evolve(sampling, count=1))
        [written] = made.written
        progress(generating(written.drawn, sampling.max_new_tokens))
        return Answer(written.text, written.finish, written.drawn, made.model)

    async def load(self, *, progress: ProgressSink = silent) -> str:
        """A download belongs to whoever asked for it: cancelling this task ends it."""
        settings = self.settings
        choice = await self._choice(settings)

        def work(job: Job[str]) -> str:
            try:
                return self._ready(job, settings, choice).plan.name
            finally:
                self._report()

        key = ("load", choice.template.family, ModelKey.of(settings).chosen(choice))
        return await self._answers.join(key, partial(self._done, work), progress)

    async def awaited(self) -> bool:
        """Whether the model of the settings is on this machine, not in memory, and large enough to be waited for."""
        settings = self.settings
        try:
            choice = await self._choice(settings)
        except LlmstepError:
            return False
        return not self._serves(settings, choice) and await asyncio.to_thread(is_large, choice)

    async def unload(self) -> None:
        """Free the model's memory, behind the requests that wait now."""
        await self._done(lambda _: self._release())

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._worker.close, _CLOSE_SECONDS)
        self._release()
        self._rest()

    async def _drawn(
        self, settings: Settings, choice: ModelChoice, draw: Callable[..., T], progress: ProgressSink = silent
    ) -> T:
        """What `draw` makes of the model and `progress` and `cancel`, while the status says that it works."""

        def work(job: Job[T]) -> T:
            try:
                model = self._ready(job, settings, choice)
                model.use_threads(settings.threads)
                self._publish(state="generating")
                started = time.perf_counter()
                made = draw(model, progress=thinned(job.progress), cancel=job.cancel)
                self._publish(last_ms=since(started))
                return made
            finally:
                self._report()

        return await self._done(work, progress)

    async def _done(self, work: Callable[[Job[T]], T], progress: ProgressSink = silent) -> T:
        with self._in_use():
            return await asyncio.wrap_future(self._worker.submit(work, in_this_loop(progress)))

    async def _choice(self, settings: Settings) -> ModelChoice:
        """The model that the settings mean; looked up in a thread, since that asks the disk and the devices."""
        choice = self._known_choice(settings)
        if choice is None:
            choice = await asyncio.to_thread(chosen, settings, self._model)
            self._chosen = (ModelKey.of(settings), choice)
        return choice

    def _known_choice(self, settings: Settings) -> ModelChoice | None:
        return self._chosen[1] if self._chosen is not None and self._chosen[0] == ModelKey.of(settings) else None

    def _named(self, *_: object) -> None:
        if self._status.state == "empty":
            self._publish(model=self.settings.model)

    def _ready(self, job: Job[Any], settings: Settings, choice: ModelChoice) -> LoadedModel:
        """In the worker's thread: the model of `choice` in memory.

        The model there now is given up only when the new one is on this machine and looks loadable. Reading the weights
        goes on when the request is cancelled: the next one needs them too, and would start from the beginning.
        """
        if self._model is not None and self._serves(settings, choice):
            return self._model
        self._publish(state="loading", model=choice.name, device="", dtype="")

        def progress(update: Progress) -> None:
            self._publish(state="downloading" if update.stage == "download" else "loading")
            job.progress(update)

        plan = prepare(settings, choice, self._model, progress, job.cancel)
        self._drop()
        self._publish(device=plan.placement.device, dtype=plan.placement.dtype)
        self._model = load(plan, progress, self._worker.closing)
        self._model_key = ModelKey.of(settings).chosen(choice)
        return self._model

    def _serves(self, settings: Settings, choice: ModelChoice) -> bool:
        """Whether the model in memory is the one, on the device and in the format, that is asked for."""
        return self._model is not None and self._model_key == ModelKey.of(settings).chosen(choice)

    def _drop(self) -> None:
        if self._model is not None:
            device = self._model.plan.placement.device
            self._model = self._model_key = None
            release(device)

    def _report(self) -> None:
        if self._model is None:
            self._publish(state="empty", model=self.settings.model, device="", dtype="")
        else:
            plan = self._model.plan
            self._publish(state="idle", model=plan.name, device=plan.placement.device, dtype=plan.placement.dtype)

    def _release(self) -> None:
        """Free the model; in the worker's thread, or when that has ended."""
        self._drop()
        self._chosen = None  # what `auto` means may have changed meanwhile
        self._report()

    def _publish(self, status: EngineStatus | None = None, **changes: Any) -> None:
        with self._lock:  # else a number of before could be published last
            super()._publish(status, queued=self._worker.queued, **changes)


def _key(settings: Settings, choice: ModelChoice, prompt_input: PromptInput, sampling: SamplingParams) -> Hashable:
    return answer_key(ModelKey.of(settings).chosen(choice), choice.template, prompt_input, sampling)
