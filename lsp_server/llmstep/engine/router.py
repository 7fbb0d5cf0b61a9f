"""The engine that the settings mean, at any time: in this process, in or at a server, or another window's.

Settings may change it while it is in use. Where another llmstep of this user has the same model in memory, that one is
asked; when it goes away, the request is made again here. While a large model is on its way into memory, the starter may
answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import attrs

from llmstep.engine.engine import Engine
from llmstep.engine.interface import Answer, Completion, EngineStatus, Generation, ModelEngine, Text, Turn, Written
from llmstep.engine.remote.llmstep import LlmstepEngine
from llmstep.engine.remote.openai import OpenAiEngine
from llmstep.engine.remote.place import Place
from llmstep.engine.remote.questions import OLLAMA, is_ollama
from llmstep.engine.served.engine import ServedEngine
from llmstep.engine.served.launches import prefers_llama_cpp
from llmstep.errors import CancelledError, LlmstepError, RemoteError, RemoteRefusedError
from llmstep.progress import ProgressSink, silent
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.types import PromptInput, SamplingParams

Neighbour = Callable[[Settings], "Awaitable[Place | None]"]
"""Gives the llmstep whose model is to be used instead of an own one; None for the own."""

_log = logging.getLogger(__name__)

SERVERS: dict[str, Callable[[Settings | SettingsStore], ModelEngine]] = {
    "openai": OpenAiEngine,
    "ollama": partial(OpenAiEngine, kind="ollama", dialect=OLLAMA),
    "vllm": partial(ServedEngine, kind="vllm"),
    "llama.cpp": partial(ServedEngine, kind="llama.cpp"),
    "llmstep": LlmstepEngine,
}
"""What asks a server, by the name of the setting `engine`."""


class EngineRouter(ModelEngine):
    """A `ModelEngine` that follows the settings.

    Args:
        settings: When they change, a model in memory that they do not need is freed.
        neighbour: Asked before each request for which the model would be loaded in this process.
        with_fallback: Whether the starter answers while a larger model is loaded.
    """

    def __init__(
        self, settings: Settings | SettingsStore, neighbour: Neighbour | None = None, *, with_fallback: bool = False
    ) -> None:
        store = SettingsStore.of(settings)
        self._neighbour = neighbour
        self.own = Engine(store)
        self._starter = Engine(_with_starter(store.current)) if with_fallback else None
        self._loading: asyncio.Task[None] | None = None
        self._failed: Settings | None = None
        """Those with which the model could not be loaded."""
        self._shared = LlmstepEngine(store, "shared")
        self._servers = {name: make(store) for name, make in SERVERS.items()}
        self._all: tuple[ModelEngine, ...] = (self.own, *self._servers.values(), self._shared)
        self._active: ModelEngine = self._configured(store.current)
        super().__init__(store, self._active.status)
        for engine in self._all:
            engine.watch(partial(self._changed, engine))
        store.subscribe(
            lambda settings: (settings.engine, settings.model), lambda *_: self._use(self._configured(self.settings))
        )

    @property
    def status(self) -> EngineStatus:
        return self._active.status

    async def generate(
        self, prompt_input: PromptInput, sampling: SamplingParams | None = None, *, progress: ProgressSink = silent
    ) -> Generation:
        """No model is asked where nothing is left to prove."""
        if prompt_input.goal.solved:
            return Generation([], self.status.model, 0, 0.0)
        if await self._find_neighbour(self.settings):
            try:
                return await self._shared.generate(prompt_input, sampling, progress=progress)
            except (RemoteError, RemoteRefusedError, CancelledError) as error:
                _log.info("the other llmstep lends its model no more, it is loaded here: %s", error.message)
        engine = self._meant()
        starter = await self._fallback() if engine is self.own else None
        if starter is not None:
            try:
                return await starter.generate(prompt_input, sampling, progress=progress)
            except LlmstepError as error:
                _log.info("the starter has no answer, the model is waited for: %s", error.message)
        return await engine.generate(prompt_input, sampling, progress=progress)

    def known(self, prompt_input: PromptInput, sampling: SamplingParams | None = None) -> Generation | None:
        return self._active.known(prompt_input, sampling)

    async def complete(
        self, text: Text, sampling: SamplingParams, *, on_written: Callable[[int, Written], None] | None = None
    ) -> Completion:
        """A neighbour is not asked."""
        return await self._meant().complete(text, sampling, on_written=on_written)

    async def converse(
        self, turns: Sequence[Turn], sampling: SamplingParams, *, progress: ProgressSink = silent
    ) -> Answer:
        """A neighbour is not asked."""
        return await self._meant().converse(turns, sampling, progress=progress)

    async def load(self, *, progress: ProgressSink = silent) -> str:
        if await self._find_neighbour(self.settings):
            try:
                return await self._shared.load(progress=progress)
            except LlmstepError as error:
                _log.info("the other llmstep does not answer, the model is loaded here: %s", error.message)
        return await self._meant().load(progress=progress)

    async def unload(self) -> None:
        await asyncio.gather(*(engine.unload() for engine in self._all))

    async def close(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
        starter = (self._starter,) if self._starter is not None else ()
        await asyncio.gather(*(engine.close() for engine in (*self._all, *starter)))

    def _meant(self) -> ModelEngine:
        """The engine of the settings, which is the active one from now on."""
        engine = self._configured(self.settings)
        self._use(engine)
        return engine

    def _configured(self, settings: Settings) -> ModelEngine:
        kind: str = settings.engine
        if kind == "auto":
            kind = "llama.cpp" if prefers_llama_cpp(settings) else "inProcess"
        elif kind == "openai" and settings.remote.url and is_ollama(settings.remote.url):
            kind = "ollama"
        return self.own if kind == "inProcess" else self._servers[kind]

    async def _find_neighbour(self, settings: Settings) -> bool:
        """Whether another llmstep lends its model, which is the active engine then."""
        if self._neighbour is None or not settings.in_process or (place := await self._neighbour(settings)) is None:
            return False
        self._shared.place = place
        self._use(self._shared)
        return True

    async def _fallback(self) -> Engine | None:
        """The starter, with the model's loading begun; None where the model itself is the one to ask.

        That is so when it is in memory, small, or not on this machine, and when its loading failed: requests say why.
        """
        settings = self.settings
        if self._starter is None or settings == self._failed or not await self.own.awaited():
            return None
        self._starter.store.change(_with_starter(settings))
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load(settings, self._starter))
        return self._starter

    async def _load(self, settings: Settings, starter: Engine) -> None:
        try:
            await self.own.load()
        except CancelledError:
            return
        except LlmstepError as error:
            _log.info("the model could not be loaded: %s", error.message)
            self._failed = settings
        finally:
            self._loading = None
        await starter.unload()

    def _use(self, engine: ModelEngine) -> None:
        """Make an engine the active one; the model of the one before is freed."""
        if engine is self._active:
            return
        before, self._active = self._active, engine
        self._publish(engine.status)
        if before.status.state != "empty":
            self._unloading = asyncio.gather(before.unload(), return_exceptions=True)

    def _changed(self, engine: ModelEngine, status: EngineStatus) -> None:
        if engine is self._active:
            self._publish(status)


def _with_starter(settings: Settings) -> Settings:
    return attrs.evolve(settings, model="starter", template="", device="cpu", dtype="auto")
