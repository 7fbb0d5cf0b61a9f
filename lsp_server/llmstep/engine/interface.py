"""What the rest of the package knows of an engine, wherever its model runs: what it is asked, and what it answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Union

import attrs

from llmstep.aside import in_this_loop
from llmstep.errors import RequestError
from llmstep.progress import ProgressSink, silent
from llmstep.settings import EngineKind, Settings
from llmstep.settings_store import SettingsStore
from llmstep.types import Candidate, PromptInput, SamplingParams

_log = logging.getLogger(__name__)

State = Literal["empty", "downloading", "loading", "idle", "generating"]
EnginePlace = Union[EngineKind, Literal["shared"]]  # noqa: UP007 - evaluated, on Python 3.10 too


@attrs.frozen
class EngineStatus:
    """What the engine is doing."""

    state: State = "empty"
    """`empty`: no model in memory; `idle`: one in memory, nothing to do."""
    model: str = ""
    """The model in memory or on its way there; with `empty`, the one of the settings."""
    device: str = ""
    dtype: str = ""
    last_ms: float | None = None
    """Time that the model took for the last answer, without waiting and loading."""
    queued: int = 0
    """Requests that wait."""
    engine: EnginePlace = "inProcess"
    """Where the model runs; `shared`: in another llmstep of this user on this machine."""
    url: str = ""
    """The server that runs it, when it is not this process."""


@attrs.frozen
class Generation:
    """The answer to an ask."""

    candidates: list[Candidate]
    """Distinct, best first."""
    model: str
    """Name in the catalog, or the id or folder; with a remote engine, its name at the server."""
    drawn: int
    """Number of samples drawn, before empty ones and duplicates were dropped."""
    elapsed_ms: float
    """Time from the ask to the answer, waiting and loading included."""
    cached: bool = False
    endings: str = ""
    """How samples ended that were cut off, or have a thought and no step; empty where there are none."""


Turn = tuple[str, str]
"""A role (`system`, `user` or `assistant`) and what it says."""


@attrs.frozen
class Text:
    """What is to be continued."""

    prompt: str = ""
    messages: tuple[Turn, ...] = ()
    """A chat, instead of a prompt."""
    stops: tuple[str, ...] = ()
    """Texts that end a continuation, and are no part of it."""
    logprobs: bool = False
    """Whether the tokens of the continuations are wanted."""
    cut: bool = False
    """Whether a prompt that is too long loses its beginning, instead of being refused."""


@attrs.frozen
class Written:
    """A continuation."""

    text: str
    finish: Literal["stop", "length"]
    tokens: tuple[tuple[str, float], ...]
    """Where wanted: texts of its tokens, and their natural log-probabilities at temperature 1. An end token is the last
    one, with the empty text."""
    drawn: int
    """Number of tokens drawn, those behind a stop included."""


@attrs.frozen
class Completion:
    """The answer to a `Text`."""

    written: list[Written]
    model: str
    prompt_tokens: int


@attrs.frozen
class Answer:
    """What a model answers in a conversation, as whole-proof models are asked for."""

    text: str
    """Without a thought that the server sent apart; one inside of the text is still there."""
    finish: Literal["stop", "length"]
    """`length`: it was cut off, by its limit or because it went on far beyond that."""
    tokens: int
    """Number of tokens written, a thought included; of a server that does not count, the pieces that came."""
    model: str
    """As in `Generation`."""
    thought: str = ""
    """What the server gave apart from the text."""


class ModelEngine(ABC):
    """Proposes steps; belongs to one asyncio loop. `EngineRouter` is the one that the settings mean.

    Args:
        settings: When they change, requests from then on have the new ones; those in flight keep theirs.
        status: What the engine does at first.
    """

    def __init__(self, settings: Settings | SettingsStore, status: EngineStatus) -> None:
        self.store = SettingsStore.of(settings)
        self._status = status
        self._watchers: list[Callable[[EngineStatus], None]] = []
        self._lock = threading.RLock()
        self._users = 0
        self._idle: asyncio.TimerHandle | None = None
        self._unloading: asyncio.Future[Any] | None = None

    @property
    def settings(self) -> Settings:
        """Those of requests from now on."""
        return self.store.current

    @property
    def status(self) -> EngineStatus:
        """What the engine is doing now; from any thread."""
        return self._status

    def watch(self, callback: Callable[[EngineStatus], None]) -> Callable[[], None]:
        """Have `callback` called with every change of the status; the answer is a function that ends it.

        When called in a running event loop the callback runs in that loop, otherwise in the engine's threads.
        """
        watcher = in_this_loop(callback)
        self._watchers.append(watcher)

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._watchers.remove(watcher)

        return stop

    def _publish(self, status: EngineStatus | None = None, **changes: Any) -> None:
        """Change the status, or fields of it, from any thread; the watchers hear of every change in order."""
        with self._lock:
            before, self._status = self._status, attrs.evolve(status or self._status, **changes)
            if self._status == before:
                return
            for watcher in tuple(self._watchers):
                try:
                    watcher(self._status)
                except Exception:
                    _log.exception("llmstep: a watcher of the engine's status failed")

    @abstractmethod
    async def generate(
        self, prompt_input: PromptInput, sampling: SamplingParams | None = None, *, progress: ProgressSink = silent
    ) -> Generation:
        """Distinct candidates for `prompt_input`, best first.

        Cancelling the task stops the model within one decoding step, unless others wait for the same answer. A question
        that was answered before is answered from memory, also when it has no seed.

        Args:
            sampling: How to draw; None takes the settings.
            progress: Called in this event loop.

        Raises:
            ModelError: The model cannot be found, downloaded, loaded or run.
            RemoteError, RemoteRefusedError: Its server does not answer, or refuses the request.
            SettingsError: The settings name a device or a server that may not or cannot be asked.
            BusyError, CancelledError: Too many requests wait; the engine was closed.
        """

    def known(self, prompt_input: PromptInput, sampling: SamplingParams | None = None) -> Generation | None:
        """The answer, where it is in memory and needs no work; None also where only a server could say that."""
        del prompt_input, sampling
        return None

    async def complete(
        self, text: Text, sampling: SamplingParams, *, on_written: Callable[[int, Written], None] | None = None
    ) -> Completion:
        """Continuations of a text, without any template; nothing is remembered.

        Args:
            on_written: Called in this event loop with every continuation as soon as it has ended, and its number.

        Raises:
            LlmstepError: A `RequestError` when the text cannot be continued, or the model is at a server.
        """
        del text, sampling, on_written
        raise RequestError(
            "The model of this llmstep is at another server.", hint="Ask that server for completions directly."
        )

    @abstractmethod
    async def converse(
        self, turns: Sequence[Turn], sampling: SamplingParams, *, progress: ProgressSink = silent
    ) -> Answer:
        """What the model says next in a conversation; one answer, whatever the sampling's count. Nothing is remembered.

        Args:
            progress: Called with the number of tokens so far, where the model runs at a server.

        Raises:
            LlmstepError: A `RequestError` when the conversation is too long for the model, or one of `generate`'s.
        """

    @abstractmethod
    async def load(self, *, progress: ProgressSink = silent) -> str:
        """Have the model ready, or make sure that its server answers; the model's name. Raises as `generate`."""

    @abstractmethod
    async def unload(self) -> None:
        """Free the memory of a model that this process holds, or end the server that it has started."""

    @abstractmethod
    async def close(self) -> None:
        """Cancel all requests and free everything."""

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """Meanwhile the model stays; unused for as long as the settings say, it is unloaded."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self._rest()

    def _rest(self, *_: object) -> None:
        """Count the time without work from now on."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if not self._users and self.status.state != "empty" and (minutes := self.settings.idle_unload_minutes):
            with contextlib.suppress(RuntimeError):  # settings were changed outside of any loop
                self._idle = asyncio.get_running_loop().call_later(60 * minutes, self._unload_idle)

    def _unload_idle(self) -> None:
        if not self._users:
            self._unloading = asyncio.ensure_future(self.unload())
