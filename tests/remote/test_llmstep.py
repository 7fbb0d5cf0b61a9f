"""Another llmstep as the engine, over a real socket: its answers, errors and end; and engines that are switched."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from llmstep.catalog.model_key import ModelKey
from llmstep.engine import wire
from llmstep.engine.interface import Generation
from llmstep.engine.remote import connection, llmstep
from llmstep.engine.remote.llmstep import LlmstepEngine
from llmstep.engine.remote.place import Place
from llmstep.engine.router import EngineRouter
from llmstep.engine.status import EngineStatus
from llmstep.errors import (
    BusyError,
    CancelledError,
    LlmstepError,
    ModelTooLargeError,
    RemoteError,
    RemoteRefusedError,
    SettingsError,
)
from llmstep.http.app import create_app
from llmstep.http.server import HttpServer, serve
from llmstep.progress import Progress
from llmstep.settings import HttpSettings, RemoteSettings, Settings
from llmstep.types import Candidate, SamplingParams

from .conftest import MODEL, FakeServer
from .test_openai import ASK, SIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llmstep.types import PromptInput

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.001)
    monkeypatch.delenv("LLMSTEP_API_KEY", raising=False)


async def test_everything_gets_through() -> None:
    ask = attrs.evolve(ASK, prefix="r", context="import Mathlib\n", declaration="t", proof="intro h")
    seen: list[Progress] = []
    async with other() as there, asking(there.settings) as engine:
        answer = await engine.generate(ask, SIX, progress=seen.append)
        assert there.engine.asked == [(ask, SIX)]
        assert answer.candidates == [Candidate("rfl", -0.25, 2), Candidate("simp", None, 0)]
        assert (answer.model, answer.drawn) == ("scripted", 6)
        assert seen == [Progress("load", "Loading it", 1, 2)]
        status = engine.status
        assert (status.state, status.model, status.device) == ("idle", "scripted", "cuda")
        assert (status.engine, status.url) == ("llmstep", there.server.url)
        await engine.generate(ask)
        assert there.engine.asked[1][1] == SamplingParams.of(there.settings)  # those of this side's settings
        assert await engine.load() == "scripted"


@pytest.mark.parametrize("fault", [ModelTooLargeError("No room.", hint="Close programs."), BusyError("Full.")])
async def test_errors_come_as_they_are(fault: LlmstepError) -> None:
    async with other() as there, asking(there.settings) as engine:
        there.engine.fault = fault
        with pytest.raises(type(fault)) as caught:
            await engine.generate(ASK, SIX)
        assert (caught.value.message, caught.value.hint) == (fault.message, fault.hint)
        assert len(there.engine.asked) == 1


async def test_cancelling_stops_the_model_there() -> None:
    async with other() as there, asking(there.settings) as engine:
        there.engine.hold = asyncio.Event()
        task = asyncio.create_task(engine.generate(ASK, SIX))
        await there.engine.running.wait()
        task.cancel()
        await asyncio.wait([task])
        await asyncio.wait_for(there.engine.stopped.wait(), 20)


async def test_a_server_that_stops() -> None:
    async with other() as there, asking(there.settings) as engine:
        there.engine.hold = asyncio.Event()
        task = asyncio.create_task(engine.generate(ASK, SIX))
        await there.engine.running.wait()
        await there.server.stop()
        with pytest.raises(CancelledError, match="The llmstep server is stopping"):
            await task
        with pytest.raises(RemoteError, match=f"Nothing answers at {there.server.url}"):
            await engine.generate(ASK, SIX)


async def test_silence_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llmstep, "SILENCE", 0.1)
    async with other() as there, asking(there.settings) as engine:
        there.engine.hold = asyncio.Event()  # and the next sign of life would come after a second
        with pytest.raises(RemoteError, match=r"did not answer within 0.1 seconds"):
            await engine.generate(ASK, SIX)


async def test_time_limits_are_for_servers_and_not_for_other_windows() -> None:
    async with other() as there:
        there.engine.hold = asyncio.Event()
        limited = attrs.evolve(there.settings, remote=RemoteSettings(url=there.server.url, timeout_seconds=0.1))
        async with asking(limited) as engine:
            with pytest.raises(RemoteError, match=r"did not answer within 0.1 seconds"):
                await engine.generate(ASK, SIX)
        there.engine.running.clear()
        window = LlmstepEngine(limited, "shared", lambda _: Place(there.server.url))
        task = asyncio.create_task(window.generate(ASK, SIX))
        await there.engine.running.wait()
        await asyncio.wait([task], timeout=0.3)
        there.engine.hold.set()
        assert (await task).drawn == 6
        await window.close()


async def test_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async with other(token="0123456789abcdef") as there, asking(there.settings) as engine:
        with pytest.raises(RemoteRefusedError, match=r"wants a key \(status 401\)"):
            await engine.generate(ASK, SIX)
        monkeypatch.setenv("LLMSTEP_API_KEY", "0123456789abcdef")
        assert (await engine.generate(ASK, SIX)).drawn == 6


async def test_no_chains() -> None:
    async with other(Settings(engine="llmstep")) as there, asking(there.settings) as engine:
        with pytest.raises(RemoteRefusedError, match="This llmstep forwards its requests to another one"):
            await engine.generate(ASK, SIX)


@pytest.mark.parametrize("body", ["{broken", "[]", '{"generation": {}}', '{"generation": 3}', "{}", ""])
async def test_answers_that_cannot_be_read(body: str) -> None:
    async def answer(_: Any) -> PlainTextResponse:
        return PlainTextResponse(body)

    app = Starlette(routes=[Route("/candidates", answer, methods=["POST"]), Route("/health", answer)])
    app.state.stopping = asyncio.Event()
    server = await serve(app, "127.0.0.1", 0)
    try:
        async with asking(Settings(engine="llmstep", remote=RemoteSettings(url=server.url))) as engine:
            with pytest.raises(RemoteError, match="cannot be read"):
                await engine.generate(ASK, SIX)
            with pytest.raises(RemoteError, match="cannot be read"):
                await engine.load()
    finally:
        await server.stop()


async def test_older_and_foreign_servers(fake: FakeServer) -> None:
    async def health(_: Any) -> JSONResponse:
        return JSONResponse({"name": "llmstep", "protocol": wire.PROTOCOL + 1, "model": "m"})

    app = Starlette(routes=[Route("/health", health)])
    app.state.stopping = asyncio.Event()
    server = await serve(app, "127.0.0.1", 0)
    try:
        for url in (server.url, f"http://127.0.0.1:{fake.port}"):
            async with asking(Settings(engine="llmstep", remote=RemoteSettings(url=url))) as engine:
                with pytest.raises(RemoteRefusedError, match="is no llmstep, or one of another version"):
                    await engine.generate(ASK, SIX)
                with pytest.raises(RemoteRefusedError):
                    await engine.load()
    finally:
        await server.stop()


# --- switching


def with_own(engine: EngineRouter, own: Scripted) -> None:
    """Put a scripted engine in the place of the one that would load a model."""
    engine._all = (own, *engine._all[1:])  # type: ignore[assignment]
    engine._active = own if engine._active is engine.own else engine._active  # type: ignore[assignment]
    engine.own = own  # type: ignore[assignment]


async def test_settings_switch_the_engine(fake: FakeServer) -> None:
    own = Scripted("own")
    seen: list[EngineStatus] = []
    async with other() as there:
        engine = EngineRouter(Settings(model="own"))
        with_own(engine, own)
        engine.watch(seen.append)
        assert (await engine.generate(ASK, SIX)).model == "own"
        engine.store.change(fake.settings())
        assert engine.status.engine == "openai"
        await asyncio.sleep(0)
        assert own.unloads == 1  # its memory is of no use meanwhile
        assert (await engine.generate(ASK, SIX)).model == MODEL
        engine.store.change(there.settings)
        assert (await engine.generate(ASK, SIX)).model == "scripted"
        engine.store.change(attrs.evolve(there.settings, remote=RemoteSettings()))
        with pytest.raises(SettingsError, match=r"llmstep\.remote\.url is empty"):
            await engine.generate(ASK, SIX)
        engine.store.change(Settings(model="own"))
        assert (await engine.generate(ASK, SIX)).model == "own"
        await engine.close()
    kinds = [status.engine for status in seen]
    assert [kind for at, kind in enumerate(kinds) if kinds[at - 1 : at] != [kind]] == ["openai", "llmstep", "inProcess"]


async def test_a_neighbours_model_is_used_and_its_loss_is_made_up_for() -> None:
    own = Scripted("own")
    settings = Settings(model="own")
    key = ModelKey.of(settings).digest
    async with other(settings) as there:
        place: list[Place | None] = [Place(there.server.url, model_key=key)]

        async def neighbour(_: Settings) -> Place | None:
            return place[0]

        engine = EngineRouter(settings, neighbour)
        with_own(engine, own)
        assert (await engine.generate(ASK, SIX)).model == "scripted"
        assert (engine.status.engine, engine.status.url) == ("shared", there.server.url)
        await asyncio.sleep(0)
        assert own.unloads == 1
        there.engine.fault = ModelTooLargeError("No room.")  # that would be the same here
        with pytest.raises(ModelTooLargeError):
            await engine.generate(ASK, SIX)
        there.engine.fault = None
        place[0] = Place(there.server.url, model_key="another model by now")
        assert (await engine.generate(ASK, SIX)).model == "own"
        assert engine.status.engine == "inProcess"
        place[0] = Place(there.server.url, model_key=key)
        there.engine.hold = asyncio.Event()
        there.engine.running.clear()
        task = asyncio.create_task(engine.generate(ASK, SIX))
        await there.engine.running.wait()
        await there.server.stop()
        assert (await task).model == "own"
        assert (await engine.generate(ASK, SIX)).model == "own"  # nothing answers there any more
        assert await engine.load() == "own"
        await engine.close()
    assert own.asked[0] == (ASK, SIX)
