"""The queue before the engine: whose turn it is, its bounds, and requests that go; alone and on a real socket."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from waiting import until

from llmstep.engine.engine import Engine
from llmstep.http.answers import RefusedError
from llmstep.http.app import create_app
from llmstep.http.fair_queue import MAX_PER_CLIENT, FairQueue
from llmstep.http.server import serve
from llmstep.settings import HttpSettings, Settings

from .conftest import STATE, Running, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKENS = {"ada": "ada-0123456789abcdef", "emmy": "emmy-0123456789abcdef", "max": "max-0123456789abcdef"}


class Line:
    """Requests that keep a record of the order of their turns, and end when they are told to."""

    def __init__(self, admission: FairQueue) -> None:
        self.admission = admission
        self.order: list[str] = []
        self.ends: asyncio.Queue[None] = asyncio.Queue()

    def come(self, client: str, number: int = 1) -> list[asyncio.Task[None]]:
        return [asyncio.ensure_future(self._ask(client)) for _ in range(number)]

    async def _ask(self, client: str) -> None:
        async with self.admission.turn(client):
            self.order.append(client)
            await self.ends.get()

    async def end(self, number: int = 1) -> None:
        for _ in range(number):
            self.ends.put_nowait(None)
            await settled()


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_after_the_other() -> None:
    line = Line(FairQueue())
    tasks = line.come("a", 3)
    await settled()
    assert (line.order, line.admission.running, line.admission.waiting) == (["a"], 1, 2)
    await line.end(3)
    await asyncio.gather(*tasks)
    assert (line.admission.running, line.admission.waiting) == (0, 0)


async def test_fifty_requests_delay_another_clients_by_no_more_than_one() -> None:
    line = Line(FairQueue())
    many = line.come("many", 50)
    await settled()
    await line.end(3)
    one = line.come("one")
    await settled()
    before = len(line.order)  # the one in work is the last of them
    await line.end()
    assert line.order[before:] == ["one"]
    await line.end(60)
    await asyncio.gather(*many, *one)
    assert line.order.count("many") == 50


async def test_who_was_served_least_recently_comes_next() -> None:
    line = Line(FairQueue())
    tasks = [*line.come("a", 4), *line.come("b", 3), *line.come("c", 1)]
    await settled()
    await line.end(8)
    await asyncio.gather(*tasks)
    assert line.order == ["a", "b", "c", "a", "b", "a", "b", "a"]


async def test_who_asks_again_and_again_gets_no_more_than_who_sends_all_at_once() -> None:
    """Each of three has a request waiting all the time; the first sends the next one when it has its answer."""
    line = Line(FairQueue())
    tasks = [*line.come("b", 20), *line.come("c", 20)]
    again = line.come("a")
    await settled()
    while len(line.order) < 30:
        await line.end()
        if again[-1].done():
            again += line.come("a")
            await settled()
    counts = [line.order.count(client) for client in "abc"]
    assert max(counts) - min(counts) <= 1
    await line.end(60)
    await asyncio.gather(*tasks, *again)


@pytest.mark.parametrize("places", [2, 4])
async def test_several_at_once_are_shared_out(places: int) -> None:
    line = Line(FairQueue(lambda: places))
    tasks = line.come("a", 20)
    await settled()
    assert line.order == ["a"] * places
    tasks += line.come("b", 20)
    await line.end()
    assert line.order[-1] == "b"
    await line.end(places)
    assert line.admission._running == {"a": places // 2, "b": places // 2}
    before = len(line.order)
    await line.end(4 * places)
    assert line.order[before:].count("a") == 2 * places
    await line.end(60)
    await asyncio.gather(*tasks)


async def test_more_places_are_used_at_once() -> None:
    places = itertools.chain([1, 1], itertools.repeat(3))
    line = Line(FairQueue(lambda: next(places)))
    tasks = line.come("a", 4)
    await settled()
    assert line.admission.running == 3
    await line.end(4)
    await asyncio.gather(*tasks)


async def test_who_goes_while_waiting_leaves_no_gap() -> None:
    line = Line(FairQueue())
    tasks = [*line.come("a", 2), *line.come("b", 2)]
    await settled()
    tasks[1].cancel()
    tasks[2].cancel()
    await settled()
    assert (line.admission.running, line.admission.waiting) == (1, 1)
    await line.end(2)
    assert line.order == ["a", "b"]
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (line.admission.running, line.admission.waiting) == (0, 0)


async def test_who_goes_just_when_its_turn_comes_passes_it_on() -> None:
    line = Line(FairQueue())
    tasks = line.come("a", 3)
    await settled()
    line.ends.put_nowait(None)
    while line.admission.waiting == 2:  # noqa: ASYNC110 - to the very step
        await asyncio.sleep(0)
    tasks[1].cancel()  # its turn was given, and it does not know yet
    await settled()
    assert (line.admission.running, line.admission.waiting) == (1, 0)
    await line.end()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert line.order == ["a", "a"]
    assert line.admission.running == 0


async def test_a_failure_gives_the_turn_back() -> None:
    admission = FairQueue()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with admission.turn("a"):
                raise ZeroDivisionError
    assert admission.running == 0


async def test_the_bounds() -> None:
    admission = FairQueue(max_waiting=5, max_per_client=3, seconds=lambda: 2.0)
    line = Line(admission)
    tasks = line.come("a", 4)
    await settled()
    with pytest.raises(RefusedError) as caught:
        async with admission.turn("a"):
            pass
    assert (caught.value.status, caught.value.message) == (429, "3 of your requests wait already.")
    assert caught.value.headers == {"Retry-After": "8"}  # four times two seconds, and the next whole one
    tasks += line.come("b", 2)
    await settled()
    with pytest.raises(RefusedError) as caught:
        async with admission.turn("c"):
            pass
    assert (caught.value.status, caught.value.message) == (429, "5 requests wait already.")
    await line.end(6)
    await asyncio.gather(*tasks)
    assert (admission.running, admission.waiting) == (0, 0)


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
                again = await asyncio.wait_for(client.post("/", json=body("exact", 1)), 20)
                assert again.json()["suggestions"] == first["suggestions"]
                new = asyncio.ensure_future(client.post("/", json=body("exact", 2)))
                await until(lambda: app.state.admission.waiting)
                assert engine.status.state == "idle"
            assert (await new).status_code == 200
    finally:
        await server.stop()
        await engine.close()
