"""Another llmstep, with a scripted engine behind it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.engine.interface import EngineStatus, Generation
from llmstep.engine.remote.llmstep import LlmstepEngine
from llmstep.http.app import create_app
from llmstep.http.server import HttpServer, serve
from llmstep.progress import Progress
from llmstep.settings import HttpSettings, RemoteSettings, Settings
from llmstep.types import Candidate, SamplingParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llmstep.types import PromptInput


class Scripted:
    """The engine behind the other llmstep."""

    def __init__(self, name: str = "scripted") -> None:
        self.name = name
        self.asked: list[tuple[PromptInput, SamplingParams | None]] = []
        self.fault: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.running = asyncio.Event()
        self.stopped = asyncio.Event()
        self.unloads = 0
        self.status = EngineStatus("idle", name, "cuda")

    async def generate(
        self, ask: PromptInput, sampling: SamplingParams | None = None, *, progress: Any = None
    ) -> Generation:
        self.asked.append((ask, sampling))
        if progress is not None:
            progress(Progress("load", "Loading it", 1, 2))
        self.running.set()
        try:
            if self.hold:
                await self.hold.wait()
        finally:
            self.stopped.set()
        if self.fault:
            raise self.fault
        return Generation([Candidate("rfl", -0.25, 2), Candidate("simp", None, 0)], self.name, 6, 1.0)

    def known(self, ask: PromptInput, sampling: SamplingParams | None = None) -> None: ...

    async def load(self, *, progress: Any = None) -> str:
        return self.name

    async def unload(self) -> None:
        self.unloads += 1

    async def close(self) -> None: ...
    def configure(self, _: Settings) -> None: ...
    def watch(self, _: Any) -> Callable[[], None]:
        return lambda: None


@attrs.frozen
class Other:
    engine: Scripted
    server: HttpServer

    @property
    def settings(self) -> Settings:
        return Settings(engine="llmstep", remote=RemoteSettings(url=self.server.url))


@asynccontextmanager
async def other(settings: Settings | None = None, token: str | None = None) -> AsyncIterator[Other]:
    """Another llmstep."""
    engine = Scripted()
    app = create_app(engine, settings or Settings(http=HttpSettings(port=0)), token=token)  # type: ignore[arg-type]
    server = await serve(app, "127.0.0.1", 0)
    try:
        yield Other(engine, server)
    finally:
        await server.stop()


@asynccontextmanager
async def asking(settings: Settings) -> AsyncIterator[LlmstepEngine]:
    engine = LlmstepEngine(settings)
    try:
        yield engine
    finally:
        await engine.close()
