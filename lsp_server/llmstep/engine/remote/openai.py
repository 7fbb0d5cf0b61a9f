"""Candidates of a server: OpenAI-compatible (vLLM, SGLang, LM Studio, `transformers serve`, ...), llama.cpp, Ollama.

The server only continues texts. Prompt, cutting, cleaning, ranking and the cache are the same as for a model in this
process.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from llmstep.catalog.model_key import ModelKey
from llmstep.catalog.registry import find_record
from llmstep.catalog.template import PromptTemplate
from llmstep.catalog.templates import guess_template
from llmstep.engine.answers import Answers, answer_key
from llmstep.engine.interface import Answer, EnginePlace, EngineStatus, Generation, ModelEngine, Turn
from llmstep.engine.postprocess import RawSample, generation
from llmstep.engine.remote.connection import FAILURES, Connection, persistently
from llmstep.engine.remote.draws import Draws, too_long
from llmstep.engine.remote.place import Place, place_of
from llmstep.engine.remote.questions import CHAT, COMPLETIONS, OLLAMA, OPENAI, Dialect, next_turn, template_of
from llmstep.engine.remote.refusals import FailedError, StatusError
from llmstep.errors import ContextLengthError, LlmstepError, ModelNotFoundError
from llmstep.progress import ProgressSink, silent, since, thinned
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.types import PromptInput, SamplingParams

T = TypeVar("T")

SECONDS_FOR_MODELS = 15.0
_MAX_NAMES = 8


@attrs.frozen
class Target:
    """A model at a server."""

    connection: Connection
    model: str
    template: PromptTemplate | None = None
    """Of its prompts; None where the settings and the model's name say it."""
    folder: Path | None = None
    """With its tokenizer, where that is on this machine."""


class OpenAiEngine(ModelEngine):
    """Asks a server of one dialect; `kind` is what the status says."""

    def __init__(
        self, settings: Settings | SettingsStore, kind: EnginePlace = "openai", dialect: Dialect = OPENAI
    ) -> None:
        super().__init__(settings, EngineStatus(engine=kind))
        self._dialect = dialect
        self._publish(model=self._named)
        self._connection: Connection | None = None
        self._closing: asyncio.Future[Any] | None = None
        self._learnt: dict[tuple[str, str, object], Draws] = {}
        self._running = 0
        self.store.subscribe(lambda now: (now.model, now.remote), self._rename)
        self._answers = Answers()
        self._first: dict[str, str] = {}
        """The model that a server lists first, by its address."""

    async def generate(
        self, prompt_input: PromptInput, sampling: SamplingParams | None = None, *, progress: ProgressSink = silent
    ) -> Generation:
        started = time.perf_counter()
        settings = self.settings
        target = await self._target(settings, progress)
        template = target.template or template_of(settings, target.model)
        wanted = sampling or SamplingParams.of(settings)
        model = ModelKey.of(settings).at(target.connection.place.url, target.model, settings)

        async def work(progress: ProgressSink) -> Generation:
            asked = self._ask(target, template, settings.remote.api, prompt_input, wanted, progress)
            return await self._timed(asked, target, settings.remote.timeout_seconds)

        key = answer_key(model, template, prompt_input, wanted)
        return await self._answers.answer(key, work, progress, started=started)

    async def converse(
        self, turns: Sequence[Turn], sampling: SamplingParams, *, progress: ProgressSink = silent
    ) -> Answer:
        target = await self._target(self.settings, silent)
        question = next_turn(self._dialect, target.model, turns, sampling)
        drawn = self._draws(target, question.page).samples(question, progress)
        try:
            [sample] = await self._timed(drawn, target, None)  # whoever waits for it sets the limit
        except StatusError as error:
            if too_long(error):
                raise ContextLengthError(error.message, hint="Send a shorter prompt.") from None
            raise
        return Answer(sample.text, "length" if sample.cut else "stop", sample.tokens, target.model, sample.thought)

    async def load(self, *, progress: ProgressSink = silent) -> str:
        self._first.clear()
        target = await self._target(self.settings, progress)
        url = target.connection.place.url
        if url not in self._first:
            await self._listed(target.connection)
        self._publish(state="idle", model=target.model, url=url)
        return target.model

    async def unload(self) -> None:
        """Nothing of the model is here."""

    async def close(self) -> None:
        await self._answers.close()
        self._leave()
        if self._closing is not None:
            await self._closing

    async def _target(self, settings: Settings, progress: ProgressSink) -> Target:
        """The server of the settings, and their model or the first that it lists."""
        del progress
        connection = self._to(place_of(self._dialect.addressed(settings)), settings.remote.timeout_seconds)
        url = connection.place.url
        if not settings.remote.model and url not in self._first:
            names = await self._listed(connection)
            if not names:
                raise ModelNotFoundError(
                    f"The server at {url} does not say which models it has.",
                    hint="Set llmstep.remote.model to the name of one.",
                )
            self._first[url] = names[0]
        return Target(connection, settings.remote.model or self._first[url])

    async def _listed(self, connection: Connection) -> list[str]:
        """The names of the server's models; none where it has no such list, or stumbles over it.

        Of Ollama's those come first whose prompt template is known.
        """
        path, where, name = self._dialect.names
        try:
            answer = await persistently(lambda: connection.get(path, SECONDS_FOR_MODELS))
        except StatusError as error:
            if error.status in (404, 405):
                return []
            raise
        except FailedError:
            return []
        if not isinstance(answer, dict) or not isinstance(answer.get(where), list):
            raise connection.unreadable()
        names = [str(each[name]) for each in answer[where] if isinstance(each, dict) and each.get(name)]
        if self._dialect is not OLLAMA:
            return names
        if not names:
            raise ModelNotFoundError(
                f"Ollama at {connection.place.url} has no models.", hint="Get one with `ollama pull`."
            )
        return sorted(names, key=lambda each: find_record(each) is None and guess_template(each, "causal") is None)

    async def _ask(
        self,
        target: Target,
        template: PromptTemplate,
        api: str,
        prompt_input: PromptInput,
        sampling: SamplingParams,
        progress: ProgressSink,
    ) -> Generation:
        started = time.perf_counter()
        template = await self._in_own_words(target, template)
        draws = self._draws(target, (api, template.own_turns))
        if self._dialect is OPENAI and api != "auto":
            draws.pages = (CHAT if api == "chat" else COMPLETIONS,)
        elif not draws.pages:  # only the server knows how its model writes a chat
            draws.pages = self._dialect.steps[::-1] if template.own_turns else self._dialect.steps
        progress = thinned(progress)
        drawn = 0
        parts: list[tuple[PromptTemplate, list[RawSample]]] = []
        for part, count in template.draws(prompt_input, sampling.count):
            got, samples = await draws.steps(part, prompt_input, attrs.evolve(sampling, count=count), progress)
            drawn += got
            parts.append((part, samples))
        return generation(prompt_input, target.model, drawn, started, parts)

    async def _in_own_words(self, target: Target, template: PromptTemplate) -> PromptTemplate:
        """A template for chats with the markers of the model; as it is where only its server knows them."""
        del target
        return template

    @property
    def _named(self) -> str:
        """The model that is known to be meant before a server has said which it has; empty where none is."""
        kind, remote = self.status.engine, self.settings.remote
        of_the_settings = kind == "shared" or (kind in ("vllm", "llama.cpp") and not remote.url)
        return self.settings.model if of_the_settings else remote.model

    def _rename(self, *_: object) -> None:
        self._publish(state="generating" if self._running else "empty", model=self._named)

    def _to(self, place: Place, silence: float) -> Connection:
        """The connection to a server; that to another one is closed."""
        known = self._connection
        if known is None or (known.place, known.silence) != (place, silence):
            self._leave()
            known = self._connection = Connection(place, silence)
        return known

    def _leave(self) -> None:
        if self._connection is not None:
            before = () if self._closing is None else (self._closing,)
            self._closing = asyncio.gather(self._connection.close(), *before)
            self._connection = None

    def _draws(self, target: Target, how: object) -> Draws:
        """Those of one model, asked in one way, with what is known of the server."""
        made = Draws(target.connection, target.model)
        draws = self._learnt.setdefault((target.connection.place.url, target.model, how), made)
        draws.connection = target.connection
        return draws

    async def _timed(self, work: Awaitable[T], target: Target, seconds: float | None) -> T:
        """What `work` returns, while the status says that something is generated.

        Raises:
            RemoteError: It takes longer than `seconds`; None waits as long as it takes. Where tries have failed
                meanwhile, it is the last failure, which says more.
            ModelNotFoundError: The server has a list of models, and this one is not there.
        """
        started = time.perf_counter()
        failures: list[LlmstepError] = []
        FAILURES.set(failures)
        self._running += 1
        self._publish(state="generating", model=target.model, url=target.connection.place.url)
        try:
            answer = await asyncio.wait_for(work, seconds)
            self._publish(last_ms=since(started))
            return answer
        except asyncio.TimeoutError:
            raise (failures[-1] if failures else target.connection.too_slow(seconds or 0.0)) from None
        except StatusError as error:
            names: list[str] = []
            if error.status == 404:
                with contextlib.suppress(LlmstepError):
                    names = await self._listed(target.connection)
            if not names or target.model in names:
                raise error from None
            shown = ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
            raise ModelNotFoundError(
                f"The server at {target.connection.place.url} has no model {target.model}.",
                hint=f"Set llmstep.remote.model to one of {shown}.",
            ) from None
        finally:
            self._running -= 1
            self._publish(state="generating" if self._running else "idle")
