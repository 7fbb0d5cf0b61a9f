"""A server on a real socket, before an engine whose every move the test decides."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import pytest
import pytest_asyncio

from llmstep.engine.interface import Generation
from llmstep.http.app import create_app
from llmstep.http.server import HttpServer, serve
from llmstep.progress import Progress
from llmstep.settings import HttpSettings, Settings
from llmstep.types import Candidate, PromptInput, SamplingParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STATE = "n : Nat\nh : 0 < n\n⊢ n ≠ 0"
BODY = {"tactic_state": STATE, "prefix": "", "context": ""}
TOKEN = "0123456789abcdef"


class ScriptedEngine:
    """An engine for faults only: it is slow, fails or is busy when told to. Real answers are tested on the real one."""

    def __init__(self) -> None:
        self.moved = asyncio.Condition()
        self.reset()

    def reset(self) -> None:
        self.asked: list[tuple[PromptInput, SamplingParams | None]] = []
        self.fault: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.running = 0
        self.cancelled = 0
        self.status = SimpleNamespace(state="idle", model="scripted", device="cpu", queued=0, last_ms=None)

    async def generate(self, ask: PromptInput, sampling: SamplingParams | None = None, *, progress: Any = None) -> Any:
        self.asked.append((ask, sampling))
        if progress is not None:
            progress(Progress("generate", "Generating", 1, 8))
        await self._count(1)
        try:
            if self.hold is not None:
                await self.hold.wait()
            if self.fault is not None:
                raise self.fault
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            await self._count(-1)
        candidates = [
            Candidate(ask.prefix + "omega", -0.25, 3),
            Candidate(ask.prefix + "exact Nat.ne_of_gt h", -0.5, 9),
        ]
        return Generation(candidates, "scripted", 10, 1.5)

    def known(self, ask: PromptInput, sampling: SamplingParams | None = None) -> None:
        return None

    async def _count(self, change: int) -> None:
        async with self.moved:
            self.running += change
            self.moved.notify_all()

    async def runs(self, number: int) -> None:
        """Wait until this many requests are in work."""

        async def reached() -> None:
            async with self.moved:
                await self.moved.wait_for(lambda: self.running == number)

        await asyncio.wait_for(reached(), 60)


@attrs.frozen
class Running:
    engine: ScriptedEngine
    server: HttpServer
    client: httpx.AsyncClient


@asynccontextmanager
async def running(
    host: str = "127.0.0.1", token: str | dict[str, str] | None = None, at_once: int = 16
) -> AsyncIterator[Running]:
    engine = ScriptedEngine()
    settings = Settings(http=HttpSettings(host=host, port=0))
    app = create_app(engine, settings, token=token, at_once=at_once)  # type: ignore[arg-type]
    server = await serve(app, host, 0)
    headers = {"Authorization": f"Bearer {token}"} if isinstance(token, str) else {}
    url = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False, timeout=60) as client:
        try:
            yield Running(engine, server, client)
        finally:
            await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _at_loopback() -> AsyncIterator[Running]:
    async with running() as it:
        yield it


@pytest.fixture
def up(_at_loopback: Running) -> Running:
    """The module's server at loopback, its engine as new."""
    _at_loopback.engine.reset()
    _at_loopback.server.app.state.settings = Settings()
    return _at_loopback


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def with_token() -> AsyncIterator[Running]:
    async with running("0.0.0.0", TOKEN) as it:
        yield it


def refused(answer: httpx.Response, status: int, error: str) -> None:
    """A refusal has the status, and the shape that upstream's clients can read."""
    assert answer.status_code == status
    content = answer.json()
    assert set(content) == {"error", "hint", "suggestions"}
    assert content["error"] == error
    assert content["hint"]
    assert content["suggestions"] == []
    assert not [name for name in answer.headers if name.startswith("access-control")]
