"""Candidates of a model in a server that llmstep starts, or in one of its kind that runs already (`remote.url`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import attrs

from llmstep.aside import in_this_loop
from llmstep.cancel import CancelToken
from llmstep.catalog.gguf import choose_gguf
from llmstep.catalog.memory import needed_bytes
from llmstep.catalog.template import PromptTemplate
from llmstep.engine.chat_form import SAID, ChatForm, chat_form, in_own_words, rule_values
from llmstep.engine.chat_rule import written_chat
from llmstep.engine.device import free_bytes
from llmstep.engine.interface import Generation
from llmstep.engine.remote.connection import Connection, persistently
from llmstep.engine.remote.dialects import LLAMA_CPP, OPENAI
from llmstep.engine.remote.openai import OpenAiEngine
from llmstep.engine.remote.refusals import FailedError, StatusError
from llmstep.engine.served import launches
from llmstep.engine.served.child import Child, Launch
from llmstep.engine.text import Answer, Turn
from llmstep.errors import LlmstepError, ModelError, ModelLoadError, ModelTooLargeError, RemoteError
from llmstep.progress import ProgressSink, format_bytes, silent
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.types import PromptInput, SamplingParams

T = TypeVar("T")

_SECONDS_FOR_FORM = 15.0


@attrs.frozen
class _Served:
    """What a server is started for."""

    launch: Launch
    template: PromptTemplate
    folder: Path | None = None
    """Where its tokenizer is; None in a GGUF file."""


class ServedEngine(OpenAiEngine):
    """Starts a server for the model of the settings, and asks it.

    Args:
        settings: See `RemoteEngine`.
        kind: Which server.
    """

    def __init__(self, settings: Settings | SettingsStore, kind: Literal["vllm", "llama.cpp"]) -> None:
        super().__init__(settings, kind, OPENAI if kind == "vllm" else LLAMA_CPP)
        self._kind = kind
        self.child = Child()
        self._served: _Served | None = None
        self._key: object = None
        self._preparing = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    def _named(self, kind: str) -> str:
        return super()._named(kind) if self.settings.remote.url else self.settings.model

    def _rename(self, *_: object) -> None:
        if not self.child.running:
            super()._rename()

    async def generate(
        self,
        prompt_input: PromptInput,
        sampling: SamplingParams | None = None,
        *,
        progress: ProgressSink = silent,
    ) -> Generation:
        """See `OpenAiEngine.generate`. A server that ends in the midst of it is started once more.

        Raises:
            SettingsError: The server's program is not installed.
            ModelError: The server cannot be started with this model.
        """
        return await self._kept(lambda: super(ServedEngine, self).generate(prompt_input, sampling, progress=progress))

    async def converse(
        self, turns: Sequence[Turn], sampling: SamplingParams, *, progress: ProgressSink = silent
    ) -> Answer:
        """See `OpenAiEngine.converse`; a server that ends in the midst of it is started once more."""
        return await self._kept(lambda: super(ServedEngine, self).converse(turns, sampling, progress=progress))

    async def _kept(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the work returns; it is done once more where its server has ended."""
        self._rest(None)
        try:
            return await work()
        except RemoteError as error:
            if self.settings.remote.url or await self.child.ended() is None:
                raise error from None
            try:
                return await work()
            except RemoteError as again:
                raise (await self.child.ended() or again) from None
        finally:
            self._rest(self.settings.idle_unload_minutes * 60)

    async def load(self, *, progress: ProgressSink = silent) -> str:
        try:
            return await super().load(progress=progress)
        finally:
            self._rest(self.settings.idle_unload_minutes * 60)

    async def unload(self) -> None:
        """End the server."""
        self._rest(None)
        await self.child.stop()
        self._served = self._key = None
        self._board.publish(state="empty", model=self.settings.model, url="")

    async def close(self) -> None:
        self._rest(None)
        await super().close()
        await self.child.stop()

    def _rest(self, seconds: float | None) -> None:
        """End the server when it was not asked for so long; None for never."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if seconds and self.child.running and not self._running:
            self._idle = asyncio.get_running_loop().call_later(seconds, lambda: asyncio.ensure_future(self.unload()))

    # --- what differs from a server that somebody else started

    async def _connect(self, settings: Settings, progress: ProgressSink = silent) -> Connection:
        if settings.remote.url:
            return await super()._connect(settings, progress)
        served = await self._prepared(settings, progress)
        self._board.publish(state="loading" if not self.child.running else self.status.state, model=served.launch.model)
        try:
            place = await self.child.place(served.launch, progress)
        except LlmstepError:
            self._board.publish(state="empty")
            raise
        return self._to(place, settings.remote.timeout_seconds)

    async def _model(self, connection: Connection, settings: Settings, listed: list[str] | None = None) -> str:
        if settings.remote.url:
            return await super()._model(connection, settings, listed)
        return (await self._prepared(settings, silent)).launch.model

    def _template(self, settings: Settings, model: str) -> PromptTemplate:
        if settings.remote.url:
            return super()._template(settings, model)
        assert self._served is not None
        return self._served.template

    async def _in_own_words(self, connection: Connection, template: PromptTemplate) -> PromptTemplate:
        """The model's files say how it writes a chat, or llama.cpp's server, which reads the rule in a GGUF file."""
        if not template.own_turns:
            return template
        folder = self._served.folder if self._served is not None and not self.settings.remote.url else None
        if folder is not None:
            form = chat_form(partial(written_chat, folder), template)
        elif self._kind == "llama.cpp":
            form = await _llama_cpp_form(connection, template)
        else:
            form = None
        return template if form is None else in_own_words(template, form)

    async def _prepared(self, settings: Settings, progress: ProgressSink) -> _Served:
        """The server to be started, with its model on this machine: downloaded where it is not."""
        key = attrs.evolve(settings, temperature=0.0, top_p=1.0)
        async with self._preparing:
            if self._served is None or self._key != key:
                cancel = CancelToken()
                make = _vllm if self._kind == "vllm" else _llama_cpp
                try:
                    self._served = await asyncio.to_thread(make, settings, in_this_loop(progress), cancel)
                except asyncio.CancelledError:
                    cancel.request()
                    raise
                self._key = key
            return self._served


def _vllm(settings: Settings, progress: ProgressSink, cancel: CancelToken) -> _Served:
    from llmstep.catalog.resolve import resolve
    from llmstep.catalog.store import adapter_base
    from llmstep.hub.download import fetch

    choice = resolve(settings)
    if choice.template.family != "causal":
        raise ModelError(
            f"The model {choice.name} is an encoder-decoder model, which vLLM does not run.",
            hint="Set llmstep.engine to inProcess, or llmstep.model to a decoder-only model.",
        )
    folder = fetch(choice.source, progress=progress, cancel=cancel)
    if adapter_base(folder) is not None:
        raise ModelLoadError(
            f"The model {choice.name} is a LoRA adapter, which llmstep does not give to vLLM.",
            hint="Set llmstep.engine to inProcess, or merge it into its base with peft.",
        )
    return _Served(launches.vllm(settings, choice.name, folder), choice.template, folder)


def _llama_cpp(settings: Settings, progress: ProgressSink, cancel: CancelToken) -> _Served:
    from llmstep.hub.download import fetch_file

    choice = choose_gguf(settings)
    if choice.template.family != "causal":
        raise ModelError(
            f"The template {choice.template.name} is for encoder-decoder models, which llama.cpp does not run.",
            hint="Set llmstep.template to another one, or llmstep.engine to inProcess.",
        )
    path: Path | None = choice.path
    if path is None:
        path = fetch_file(choice.repo_id, choice.file, progress=progress, cancel=cancel)
    if not settings.remote.command:  # what the user's own command does with the memory is not known here
        _require_memory(choice.name, path)
    return _Served(launches.llama_cpp(settings, choice.name, path, choice.template), choice.template)


def _require_memory(name: str, file: Path) -> None:
    needed, free = needed_bytes(file.stat().st_size), free_bytes("cpu")
    if needed > free:
        raise ModelTooLargeError(
            f"The model {name} needs about {format_bytes(needed)} of memory, and {format_bytes(free)} are free.",
            hint="Close other programs, or choose a smaller file, with fewer bits for example.",
        )


async def _llama_cpp_form(connection: Connection, template: PromptTemplate) -> ChatForm | None:
    """The markers of the turns by the rule in the GGUF file, which the server applies; None where it does not say them.

    Raises:
        RemoteError: The server cannot be reached.
    """
    body = {"messages": [{"role": "user", "content": SAID}], "chat_template_kwargs": rule_values(template)}
    try:
        answer = await persistently(lambda: connection.get("/apply-template", _SECONDS_FOR_FORM, body))
    except (StatusError, FailedError):
        return None
    written = answer.get("prompt") if isinstance(answer, dict) else None
    if not isinstance(written, str):
        return None
    form = chat_form(lambda _, *, answer, values: written if answer else None, template)
    # The server always begins the model's turn, and is asked once: whether the model thinks stays unknown.
    return form and attrs.evolve(form, thinks=True)
