"""Silent clients and bursts, on real sockets: who is served, who is refused, and how."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter

import attrs
import pytest
from waiting import until

from llmstep.http import connections
from llmstep.http.connections import Places
from llmstep.http.fair_queue import MAX_PER_CLIENT, MAX_WAITING

from .conftest import Running, running
from .sockets import SILENT, Answer, idlers, read, request_bytes

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("said", SILENT)
async def test_300_silent_clients_disturb_nobody(up: Running, said: bytes) -> None:
    async with idlers(up.server.port, 300, said):
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
            writer.write(request_bytes())
            answer = await asyncio.wait_for(read(reader), 60)
            assert (answer.status, answer.json["model"]) == (200, "scripted")
            writer.close()


@pytest.mark.parametrize("said", SILENT)
async def test_more_silent_clients_than_there_are_places_lose_theirs(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "GRACE_SECONDS", 0.0)
    made = Places(40, 20)
    monkeypatch.setattr("llmstep.http.server.places", lambda: made)
    async with running() as it, idlers(it.server.port, 20, said) as silent:
        await until(lambda: len(made.held) == 20)
        assert (await it.client.get("/health")).status_code == 200
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(each.read()) for each in silent], timeout=60, return_when=asyncio.FIRST_COMPLETED
        )
        assert len(done) == 1  # the one that was silent longest


async def test_without_a_place_a_request_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmstep.http.server.places", lambda: Places(40, 10))
    async with running() as it:
        it.engine.hold = asyncio.Event()
        opened = []
        for number in range(12):
            reader, writer = await asyncio.open_connection("127.0.0.1", it.server.port)
            writer.write(request_bytes(f"c{number}", "/v1/completions" if number == 11 else "/"))
            opened.append((reader, writer))
        refused = await read(opened[10][0])
        assert (refused.status, refused.headers["retry-after"], refused.headers["connection"]) == (429, "1", "close")
        assert refused.json["error"] == "Too many connections are open already."
        assert refused.json["suggestions"] == []
        openai = await read(opened[11][0])
        assert (openai.status, openai.json["error"]["type"]) == (429, "rate_limit_error")  # type: ignore[index]
        it.engine.hold.set()
        assert {(await read(reader)).status for reader, _ in opened[:10]} == {200}
        for _, writer in opened:
            writer.close()


async def test_the_address_with_the_most_connections_loses_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "GRACE_SECONDS", 0.0)

    @attrs.define(eq=False)
    class Held:
        address: str
        silent_since: float = attrs.field(factory=time.monotonic)
        gone: bool = False

        def let_go(self) -> None:
            self.gone = True

    places = Places(6, 5)
    many = [Held("many") for _ in range(4)]
    few = [Held("few") for _ in range(2)]
    for each in [*few, *many]:
        assert places.enter(each)
    many[0].silent_since = math.inf  # its request is being answered
    assert places.enter(Held("new"))
    assert [each.gone for each in many] == [False, True, False, False]
    assert not any(each.gone for each in few)
    assert len(places.held) == 6
    for each in many[2:]:
        each.silent_since = math.inf
    assert not places.enter(Held("another"))  # nobody is silent among those of the address with the most


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("number", [400, 1000])
async def test_a_burst_is_served_as_far_as_there_are_places_and_the_rest_is_told_at_once(
    number: int, names: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GRACE_SECONDS", "HEAD_SECONDS", "UNPLACED_SECONDS"):
        monkeypatch.setattr(connections, name, 60.0)  # clients and server share a loop, and a slow one is not silent
    async with running(at_once=1) as it:
        it.engine.hold = asyncio.Event()
        started = time.monotonic()

        async def one(index: int) -> Answer:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.server.port)
            writer.write(request_bytes(f"c{index}" if names else ""))
            answer = await read(reader, started)
            writer.close()
            return answer

        asking = [asyncio.ensure_future(one(index)) for index in range(number)]
        served = 1 + (MAX_WAITING if names else MAX_PER_CLIENT)
        await until(lambda: sum(task.done() for task in asking) == number - served)
        it.engine.hold.set()
        answers = await asyncio.gather(*asking)
        counts = Counter(answer.status for answer in answers)
        assert counts == {200: served, 429: number - served}
        for answer in answers:
            assert answer.headers["content-type"] == "application/json"
            assert answer.status == 200 or (answer.json["error"] and int(answer.headers["retry-after"]) >= 1)
