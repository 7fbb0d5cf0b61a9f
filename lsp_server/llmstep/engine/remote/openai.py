"""Candidates of a server: OpenAI-compatible (vLLM, SGLang, LM Studio, `transformers serve`, ...), llama.cpp, Ollama.

The server only continues texts. Prompt, cutting, cleaning, ranking and the cache are the same as for a model in this
process.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence

import attrs

from llmstep.catalog.model_key import ModelKey
from llmstep.catalog.registry import find_record
from llmstep.catalog.template import PromptTemplate
from llmstep.catalog.templates import guess_template
from llmstep.engine import status
from llmstep.engine.answers import Answers, answer_key
from llmstep.engine.interface import Generation
from llmstep.engine.postprocess import RawSample, generation
from llmstep.engine.remote.connection import Connection, persistently
from llmstep.engine.remote.dialects import OLLAMA, OPENAI, Dialect
from llmstep.engine.remote.draws import draw_steps, too_long
from llmstep.engine.remote.place import place_of
from llmstep.engine.remote.questions import next_turn, template_of
from llmstep.engine.remote.refusals import FailedError, StatusError
from llmstep.engine.remote.remote_engine import RemoteEngine
from llmstep.engine.text import Answer, Turn
from llmstep.errors import ContextLengthError, LlmstepError, ModelNotFoundError, RemoteRefusedError
from llmstep.progress import ProgressSink, silent, thinned
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.types import PromptInput, SamplingParams

SECONDS_FOR_MODELS = 15.0
_MAX_NAMES = 8


class OpenAiEngine(RemoteEngine):
    """Asks a server of one dialect.

    Args:
        settings: See `RemoteEngine`.
        kind: What the status says.
        dialect: What it speaks.
    """

    def __init__(
        self, settings: Settings | SettingsStore, kind: status.Place = "openai", dialect: Dialect = OPENAI
    ) -> None:
        super().__init__(settings, kind)
        self._dialect = dialect
        self._answers = Answers()
        self._first: dict[str, str] = {}

    async def generate(
        self,
        prompt_input: PromptInput,
        sampling: SamplingParams | None = None,
        *,
        progress: ProgressSink = silent,
    ) -> Generation:
        """See `ModelEngine.generate`."""
        started = time.perf_counter()
        settings = self.settings
        connection = await self._connect(settings, progress)
        model = await self._model(connection, settings)
        template = self._template(settings, model)
        wanted = sampling or SamplingParams.of(settings)
        key = answer_key(
            ModelKey.of(settings).at(connection.place.url, model, settings), template, prompt_input, wanted
        )

        async def work(progress: ProgressSink) -> Generation:
            asked = self._ask(connection, settings, model, template, prompt_input, wanted, progress)
            async with self._known(connection, model):
                return await self._timed(asked, connection, settings.remote.timeout_seconds)

        return await self._answers.answer(key, work, progress, started=started)

    async def converse(
        self, turns: Sequence[Turn], sampling: SamplingParams, *, progress: ProgressSink = silent
    ) -> Answer:
        """See `ModelEngine.converse`."""
        settings = self.settings
        connection = await self._connect(settings)
        model = await self._model(connection, settings)
        self._board.publish(model=model)
        question = next_turn(self._dialect, model, turns, sampling)
        try:
            async with self._known(connection, model):
                return await self._heard(connection, question, progress)
        except StatusError as error:
            raise (
                ContextLengthError(error.message, hint="Send a shorter prompt.") if too_long(error) else error
            ) from None

    async def load(self, *, progress: ProgressSink = silent) -> str:
        """Make sure that the server answers; the name of the model that it will be asked for."""
        settings = self.settings
        connection = await self._connect(settings, progress)
        self._first.pop(connection.place.url, None)
        listed = await self._listed(connection)
        name = settings.remote.model or await self._model(connection, settings, listed)
        self._board.publish(state="idle", model=name, url=connection.place.url)
        return name

    async def close(self) -> None:
        await self._answers.close()
        await super().close()

    async def _connect(self, settings: Settings, progress: ProgressSink = silent) -> Connection:
        """The connection to the server."""
        del progress
        return self._to(place_of(self._dialect.addressed(settings)), settings.remote.timeout_seconds)

    def _template(self, settings: Settings, model: str) -> PromptTemplate:
        return template_of(settings, model)

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

    async def _model(self, connection: Connection, settings: Settings, listed: list[str] | None = None) -> str:
        """The model of the settings, or the first that the server lists."""
        url = connection.place.url
        if settings.remote.model:
            return settings.remote.model
        if url not in self._first:
            names = await self._listed(connection) if listed is None else listed
            if not names:
                raise ModelNotFoundError(
                    f"The server at {url} does not say which models it has.",
                    hint="Set llmstep.remote.model to the name of one.",
                )
            self._first[url] = names[0]
        return self._first[url]

    async def _ask(
        self,
        connection: Connection,
        settings: Settings,
        model: str,
        template: PromptTemplate,
        prompt_input: PromptInput,
        sampling: SamplingParams,
        progress: ProgressSink,
    ) -> Generation:
        started = time.perf_counter()
        self._board.publish(model=model)
        template = await self._in_own_words(connection, template)
        abilities = self._able(connection, model, (settings.remote.api, template.own_turns))
        if self._dialect is OPENAI and settings.remote.api != "auto":
            abilities.apis = (settings.remote.api,)
        elif not abilities.apis:  # only the server knows how its model writes a chat
            abilities.apis = self._dialect.steps[::-1] if template.own_turns else self._dialect.steps
        progress = thinned(progress)
        drawn = 0
        parts: list[tuple[PromptTemplate, list[RawSample]]] = []
        for part, count in template.draws(prompt_input, sampling.count):
            wanted = attrs.evolve(sampling, count=count)
            got, samples = await draw_steps(connection, model, part, prompt_input, wanted, abilities, progress)
            drawn += got
            parts.append((part, samples))
        return generation(prompt_input, model, drawn, started, parts)

    async def _in_own_words(self, connection: Connection, template: PromptTemplate) -> PromptTemplate:
        """A template for chats in general with the markers of the model, where they are known here."""
        del connection
        return template

    @contextlib.asynccontextmanager
    async def _known(self, connection: Connection, model: str) -> AsyncIterator[None]:
        """Have a page that is not there say that the model is not, where that is so."""
        try:
            yield
        except StatusError as error:
            raise (await self._not_there(connection, model, error) if error.status == 404 else error) from None

    async def _not_there(self, connection: Connection, model: str, error: RemoteRefusedError) -> LlmstepError:
        """The error for a 404: there is no such model, or no such page."""
        try:
            names = await self._listed(connection)
        except LlmstepError:
            return error
        if model in names or not names:
            return error
        shown = ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
        hint = f"Set llmstep.remote.model to one of {shown}."
        return ModelNotFoundError(f"The server at {connection.place.url} has no model {model}.", hint=hint)
