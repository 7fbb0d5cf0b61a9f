"""Another llmstep as the engine, over a real socket: its answers, errors and end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from llmstep.engine import wire
from llmstep.engine.remote import llmstep
from llmstep.engine.remote.llmstep import LlmstepEngine
from llmstep.errors import (
    BusyError,
    CancelledError,
    LlmstepError,
    ModelTooLargeError,
    RemoteError,
    RemoteRefusedError,
)
from llmstep.http.server import serve
from llmstep.progress import Progress
from llmstep.settings import RemoteSettings, Settings
from llmstep.types import Candidate, SamplingParams

from .another import asking, other
from .asks import ASK, SIX

if TYPE_CHECKING:
    from .conftest import FakeServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
        await asyncio.wait_for(there.engine.stopped.wait(), 60)


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
        window = LlmstepEngine(limited, "shared")
        task = asyncio.create_task(window.generate(ASK, SIX))
        await there.engine.running.wait()
        async with asking(limited) as engine:  # which asks later, and whose time is over earlier
            with pytest.raises(RemoteError, match=r"did not answer within 0.1 seconds"):
                await engine.generate(ASK, SIX)
        assert not task.done()
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


async def test_a_server_makes_no_candidate_one_of_leans() -> None:
    step = {"text": "simp", "score": -1.0, "tokens": 2, "source": "lean", "chance": 1.0, "repaired_from": "simq"}
    line = {"candidates": [step], "model": "m", "drawn": 1, "elapsed_ms": 1.0, "cached": False}
    assert wire.read_generation(line).candidates == [Candidate("simp", -1.0, 2)]


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
