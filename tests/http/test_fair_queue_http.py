"""The queue before the engine on a real socket: whose turn it is, its bounds, and requests that go."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from waiting import until

from llmstep.engine.engine import Engine
from llmstep.http.app import create_app
from llmstep.http.fair_queue import MAX_PER_CLIENT
from llmstep.http.server import serve
from llmstep.settings import HttpSettings, Settings

from .conftest import STATE, Running, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKENS = {"ada": "ada-0123456789abcdef", "emmy": "emmy-0123456789abcdef", "max": "max-0123456789abcdef"}


@asynccontextmanager
async def group(at_once: int = 1) -> AsyncIterator[tuple[Running, dict[str, httpx.AsyncClient]]]:
    """A server for three people with tokens of their own, and their programs."""
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(running(token=TOKENS, at_once=at_once))
        limits = httpx.Limits(max_connections=200)
        clients = {
            name: await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=up.server.url,
                    headers={"Authorization": f"Bearer {token}"},
                    trust_env=False,
                    timeout=60,
                    limits=limits,
                )
            )
            for name, token in TOKENS.items()
        }
        yield up, clients


def body(name: str, number: int) -> dict[str, object]:
    return {"tactic_state": STATE, "prefix": f"{name} {number}", "context": ""}


async def waits(up: Running, number: int) -> None:
    """Wait until so many requests wait in the server."""
    await until(lambda: up.server.app.state.admission.waiting == number)


@pytest.mark.parametrize("path", ["/", "/generate", "/candidates"])
async def test_over_http_a_flood_delays_another_by_no_more_than_one(path: str) -> None:
    def asked(name: str, number: int) -> dict[str, object]:
        if path == "/generate":
            return {"name": "any", "input": STATE, "prefix": f"{name} {number}"}
        if path == "/candidates":
            return {"goal": STATE, "prefix": f"{name} {number}"}
        return body(name, number)

    async with group() as (up, clients):
        up.engine.hold = asyncio.Event()
        flood = [asyncio.ensure_future(clients["ada"].post(path, json=asked("ada", i))) for i in range(50)]
        await up.engine.runs(1)
        await waits(up, 49)
        assert (await clients["emmy"].get("/health")).json()["waiting"] == 49
        other = asyncio.ensure_future(clients["emmy"].post(path, json=asked("emmy", 0)))
        await waits(up, 50)
        up.engine.hold.set()
        assert (await other).status_code == 200
        names = [ask.prefix.split()[0] for ask, _ in up.engine.asked]
        assert names[:2] == ["ada", "emmy"]
        assert {each.status_code for each in await asyncio.gather(*flood)} == {200}


async def test_over_http_one_client_is_refused_and_the_others_are_not() -> None:
    async with group() as (up, clients):
        up.engine.hold = asyncio.Event()
        up.engine.status.last_ms = 400.0
        flood = [
            asyncio.ensure_future(clients["ada"].post("/", json=body("ada", i))) for i in range(MAX_PER_CLIENT + 1)
        ]
        await waits(up, MAX_PER_CLIENT)
        refused = await clients["ada"].post("/", json=body("ada", -1))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "26")
        assert refused.json() == {
            "error": f"{MAX_PER_CLIENT} of your requests wait already.",
            "hint": "Try again when some of them are answered.",
            "suggestions": [],
        }
        other = asyncio.ensure_future(clients["max"].post("/", json=body("max", 0)))
        await waits(up, MAX_PER_CLIENT + 1)
        up.engine.hold.set()
        assert (await other).status_code == 200
        assert {each.status_code for each in await asyncio.gather(*flood)} == {200}


async def test_over_http_who_hangs_up_while_waiting_is_never_asked() -> None:
    async with group() as (up, clients):
        up.engine.hold = asyncio.Event()
        first = asyncio.ensure_future(clients["ada"].post("/", json=body("ada", 0)))
        await up.engine.runs(1)
        gone = asyncio.ensure_future(clients["emmy"].post("/", json=body("emmy", 0)))
        await waits(up, 1)
        gone.cancel()
        await waits(up, 0)
        up.engine.hold.set()
        assert (await first).status_code == 200
        assert [ask.prefix for ask, _ in up.engine.asked] == ["ada 0"]


async def test_the_header_tells_those_apart_who_share_an_address() -> None:
    async with running(at_once=1) as up:
        up.engine.hold = asyncio.Event()

        def post(name: str, number: int) -> asyncio.Future[httpx.Response]:
            headers = {"X-Llmstep-Client": name}
            return asyncio.ensure_future(up.client.post("/", json=body(name, number), headers=headers))

        asked = [post("a", 0), post("a", 1), post("a", 2)]
        await waits(up, 2)
        asked.append(post("b", 0))
        await waits(up, 3)
        up.engine.hold.set()
        await asyncio.gather(*asked)
        prefixes = [ask.prefix for ask, _ in up.engine.asked]
        assert prefixes.index("b 0") == 1


async def test_what_is_known_already_waits_for_nobody() -> None:
    """The real engine: its memory answers while another's request is in work."""
    engine = Engine(Settings(model="starter", device="cpu"))
    app = create_app(engine, Settings(http=HttpSettings(port=0)))
    server = await serve(app, "127.0.0.1", 0)
    try:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
            first = (await client.post("/", json=body("exact", 1))).json()
            async with app.state.admission.turn("another"):
                again = await asyncio.wait_for(client.post("/", json=body("exact", 1)), 60)
                assert again.json()["suggestions"] == first["suggestions"]
                new = asyncio.ensure_future(client.post("/", json=body("exact", 2)))
                await until(lambda: app.state.admission.waiting)
                assert engine.status.state == "idle"
            assert (await new).status_code == 200
    finally:
        await server.stop()
        await engine.close()
