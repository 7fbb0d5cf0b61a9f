"""Candidates of another llmstep: one `llmstep serve` for a group, or the first of several windows.

Prompt, queue, cache and the cleaning of answers are that one's business; see `llmstep.engine.wire`.
"""

from __future__ import annotations

import time
from typing import Any, Literal

import attrs

from llmstep.engine import wire
from llmstep.engine.interface import Generation
from llmstep.engine.remote.connection import TRIES, UNREADABLE, Connection, persistently
from llmstep.engine.remote.openai import OpenAiEngine, Target
from llmstep.engine.remote.place import Place, place_of
from llmstep.engine.remote.questions import LLAMA_CPP
from llmstep.engine.remote.refusals import Passing, StatusError
from llmstep.errors import LlmstepError, RemoteRefusedError
from llmstep.progress import ProgressSink, silent, since
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.strict_json import loads
from llmstep.types import PromptInput, SamplingParams

SILENCE = 15 * wire.SECONDS_BETWEEN_SIGNS
"""Longest time without a sign of life: the other side may be busy importing or reading weights."""
SECONDS_FOR_HEALTH = 10.0


class LlmstepEngine(OpenAiEngine):
    """Asks another llmstep: a server, or another window (`shared`), which is asked once and without a limit of time."""

    place: Place | None = None
    """The server; None takes that of the settings."""

    def __init__(self, settings: Settings | SettingsStore, kind: Literal["llmstep", "shared"] = "llmstep") -> None:
        super().__init__(settings, kind, LLAMA_CPP)  # for conversations, whose page is at the same place
        self._shared = kind == "shared"

    async def generate(
        self, prompt_input: PromptInput, sampling: SamplingParams | None = None, *, progress: ProgressSink = silent
    ) -> Generation:
        started = time.perf_counter()
        settings = self.settings
        connection = self._server()
        body = wire.request_of(prompt_input, sampling or SamplingParams.of(settings), connection.place.model_key)
        work = persistently(lambda: self._request(connection, body, progress), 1 if self._shared else TRIES)
        # Another window may have a model to download first; it gives signs of life, and this one would wait as long.
        seconds = None if self._shared else settings.remote.timeout_seconds
        answer = await self._timed(work, Target(connection, self.status.model), seconds)
        return attrs.evolve(answer, elapsed_ms=since(started))

    async def load(self, *, progress: ProgressSink = silent) -> str:
        connection = self._server()
        health = await persistently(lambda: connection.get("/health", SECONDS_FOR_HEALTH))
        if not isinstance(health, dict) or health.get("name") != "llmstep":
            raise connection.unreadable()
        if health.get("protocol") != wire.PROTOCOL:
            raise _other_version(connection)
        self._publish(state="idle", model=str(health.get("model")), url=connection.place.url)
        return str(health.get("model"))

    async def _target(self, settings: Settings, progress: ProgressSink) -> Target:
        del settings
        return Target(self._server(), await self.load(progress=progress))

    def _server(self) -> Connection:
        return self._to(self.place or place_of(self.settings), SILENCE)

    async def _request(self, connection: Connection, body: dict[str, Any], progress: ProgressSink) -> Generation:
        try:
            raw = await last_line(connection, wire.CANDIDATES, body, "generation", progress)
            generation = wire.read_generation(raw["generation"])
            self._publish(model=generation.model, device=str(raw.get("device", "")))
            return generation
        except StatusError as error:
            raise _other_version(connection) if error.status in (404, 405) else error from None
        except UNREADABLE:
            raise Passing(connection.unreadable()) from None


async def last_line(
    connection: Connection, page: str, body: dict[str, Any], field: str, progress: ProgressSink
) -> dict[str, Any]:
    """The line with which another llmstep ends an answer in lines, which has this field.

    Args:
        progress: Called with what the lines before say.

    Raises:
        LlmstepError: As `Connection.stream`, or what the other llmstep says in place of that line.
        One of UNREADABLE: The answer is none in lines, or ends without that line.
    """
    async with connection.stream("POST", page, body) as response:
        async for line in connection.lines(response):
            raw: dict[str, Any] = loads(line) if line else {}
            if "error" in raw:
                raise wire.read_error(raw["error"])
            if "progress" in raw:
                progress(wire.read_progress(raw["progress"]))
            if field in raw:
                return raw
    raise ValueError(f"there is no {field}")


def _other_version(connection: Connection) -> LlmstepError:
    return RemoteRefusedError(
        f"The server at {connection.place.url} is no llmstep, or one of another version.",
        hint="Install the same version on both sides, or correct llmstep.remote.url.",
    )
