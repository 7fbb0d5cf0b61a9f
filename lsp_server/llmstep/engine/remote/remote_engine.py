"""What engines with a server have in common: settings, status, one connection at a time, one limit on the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, TypeVar

from llmstep.engine import status
from llmstep.engine.interface import Answer, ModelEngine
from llmstep.engine.remote.connection import FAILURES, Connection
from llmstep.engine.remote.draws import Draw, ServerCapabilities
from llmstep.engine.remote.place import Place
from llmstep.engine.remote.questions import Question
from llmstep.engine.status import EngineStatus
from llmstep.errors import LlmstepError
from llmstep.progress import ProgressSink, since
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore

T = TypeVar("T")


class RemoteEngine(ModelEngine):
    """The base of both engines.

    Args:
        settings: See `ModelEngine`.
        kind: What the status says.
    """

    def __init__(self, settings: Settings | SettingsStore, kind: status.Place) -> None:
        super().__init__(settings, EngineStatus(engine=kind))
        self._board.publish(model=self._named(kind))
        self._connection: Connection | None = None
        self._abilities: dict[tuple[str, str, object], ServerCapabilities] = {}
        self._running = 0
        self._closing: set[asyncio.Task[None]] = set()
        self.store.subscribe(lambda now: (now.model, now.remote), self._rename)

    def _named(self, kind: str) -> str:
        """The model that is known to be meant before a server has said which it has; empty where none is."""
        return self.settings.model if kind == "shared" else self.settings.remote.model

    def _rename(self, *_: object) -> None:
        self._board.publish(state="generating" if self._running else "empty", model=self._named(self.status.engine))

    async def unload(self) -> None:
        """Nothing of the model is here."""

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _to(self, place: Place, silence: float) -> Connection:
        """The connection to a server; that to another one is closed."""
        known = self._connection
        if known is not None and (known.place, known.silence) == (place, silence):
            return known
        self._connection = Connection(place, silence)
        if known is not None:
            task = asyncio.create_task(known.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        return self._connection

    async def _heard(self, connection: Connection, question: Question, progress: ProgressSink) -> Answer:
        """The server's answer in a conversation. It may take long: whoever waits for it sets the limit."""
        abilities = self._able(connection, question.model, question.path)
        drawn = Draw(connection, question, abilities, progress).samples()
        [sample] = await self._timed(drawn, connection, None)
        return Answer(sample.text, "length" if sample.cut else "stop", sample.tokens, question.model, sample.thought)

    def _able(self, connection: Connection, model: str, how: object) -> ServerCapabilities:
        """What is known of a server's ways with one model, asked in one way."""
        return self._abilities.setdefault((connection.place.url, model, how), ServerCapabilities())

    async def _timed(self, work: Awaitable[T], connection: Connection, seconds: float | None) -> T:
        """What `work` returns, while the status says that something is generated.

        Raises:
            RemoteError: It takes longer than `seconds`; None waits as long as it takes. Where tries have failed
                meanwhile, it is the last failure, which says more.
        """
        started = time.perf_counter()
        failures: list[LlmstepError] = []
        FAILURES.set(failures)
        self._change(1, url=connection.place.url)
        try:
            answer = await asyncio.wait_for(work, seconds)
        except asyncio.TimeoutError:
            raise (failures[-1] if failures else connection.too_slow(seconds or 0.0)) from None
        else:
            self._board.publish(last_ms=since(started))
            return answer
        finally:
            self._change(-1)

    def _change(self, by: int, **changes: Any) -> None:
        self._running += by
        self._board.publish(state="generating" if self._running else "idle", **changes)
