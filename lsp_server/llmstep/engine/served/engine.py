"""Candidates of a model in a server that llmstep starts, or in one of its kind that runs already (`remote.url`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Literal, TypeVar

import attrs

from llmstep.aside import in_this_loop
from llmstep.cancel import CancelToken
from llmstep.catalog.template import PromptTemplate
from llmstep.engine.chat_form import SAID, in_own_words, rule_values, written_chat
from llmstep.engine.interface import Answer, Generation, Turn
from llmstep.engine.remote.connection import persistently
from llmstep.engine.remote.openai import SECONDS_FOR_MODELS, OpenAiEngine, Target
from llmstep.engine.remote.questions import LLAMA_CPP, OPENAI
from llmstep.engine.remote.refusals import FailedError, StatusError
from llmstep.engine.served import launches
from llmstep.engine.served.child import Child, Launch
from llmstep.errors import LlmstepError, RemoteError
from llmstep.progress import ProgressSink, silent
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.types import PromptInput, SamplingParams

T = TypeVar("T")


class ServedEngine(OpenAiEngine):
    """Starts a server for the model of the settings, and asks it; one that ends meanwhile is started anew."""

    def __init__(self, settings: Settings | SettingsStore, kind: Literal["vllm", "llama.cpp"]) -> None:
        super().__init__(settings, kind, OPENAI if kind == "vllm" else LLAMA_CPP)
        self._prepare = launches.vllm if kind == "vllm" else launches.llama_cpp
        self.child = Child()
        self._prepared: tuple[Settings, Launch] | None = None
        self._preparing = asyncio.Lock()
        self.store.subscribe(lambda settings: settings.idle_unload_minutes, self._rest)

    def _rename(self, *_: object) -> None:
        if not self.child.running:
            super()._rename()

    async def generate(
        self, prompt_input: PromptInput, sampling: SamplingParams | None = None, *, progress: ProgressSink = silent
    ) -> Generation:
        return await self._kept(lambda: super(ServedEngine, self).generate(prompt_input, sampling, progress=progress))

    async def converse(
        self, turns: Sequence[Turn], sampling: SamplingParams, *, progress: ProgressSink = silent
    ) -> Answer:
        return await self._kept(lambda: super(ServedEngine, self).converse(turns, sampling, progress=progress))

    async def load(self, *, progress: ProgressSink = silent) -> str:
        return await self._kept(lambda: super(ServedEngine, self).load(progress=progress))

    async def _kept(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the work returns; it is done once more where its server has ended."""
        with self._in_use():
            try:
                return await work()
            except RemoteError as error:
                if self.settings.remote.url or await self.child.ended() is None:
                    raise error from None
            try:
                return await work()
            except RemoteError as again:
                raise (await self.child.ended() or again) from None

    async def unload(self) -> None:
        """End the server."""
        await self.child.stop()
        self._prepared = None
        self._publish(state="empty", model=self._named, url="")
        self._rest()

    def _unload_idle(self) -> None:
        if self.child.running:  # a server that somebody else started stays as it is
            super()._unload_idle()

    async def close(self) -> None:
        await super().close()
        await self.unload()

    async def _target(self, settings: Settings, progress: ProgressSink) -> Target:
        if settings.remote.url:
            return await super()._target(settings, progress)
        launch = await self._launch(settings, progress)
        self._publish(state=self.status.state if self.child.running else "loading", model=launch.model)
        try:
            place = await self.child.place(launch, progress)
        except LlmstepError:
            self._publish(state="empty")
            raise
        connection = self._to(place, settings.remote.timeout_seconds)
        return Target(connection, launch.model, launch.template, launch.folder)

    async def _launch(self, settings: Settings, progress: ProgressSink) -> Launch:
        """How the server is started, with its model on this machine: downloaded where it is not."""
        key = attrs.evolve(settings, temperature=0.0, top_p=1.0)
        async with self._preparing:
            if self._prepared is None or self._prepared[0] != key:
                cancel = CancelToken()
                try:
                    launch = await asyncio.to_thread(self._prepare, settings, in_this_loop(progress), cancel)
                except asyncio.CancelledError:
                    cancel.request()
                    raise
                self._prepared = key, launch
            return self._prepared[1]

    async def _in_own_words(self, target: Target, template: PromptTemplate) -> PromptTemplate:
        """By the model's files, or by llama.cpp's server, which applies the rule in a GGUF file."""
        if target.folder is not None:
            return in_own_words(template, partial(written_chat, target.folder))
        if self._dialect is not LLAMA_CPP or not template.own_turns:
            return template
        body = {"messages": [{"role": "user", "content": SAID}], "chat_template_kwargs": rule_values(template)}
        try:
            answer = await persistently(lambda: target.connection.get("/apply-template", SECONDS_FOR_MODELS, body))
        except (StatusError, FailedError):
            return template
        written = answer.get("prompt") if isinstance(answer, dict) else None
        if not isinstance(written, str):
            return template
        # The server always begins the model's turn, and is asked once: whether the model thinks stays unknown.
        return in_own_words(template, lambda _, *, answer, values: written if answer else None, thinks=True)
