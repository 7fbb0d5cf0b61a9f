"""Silent clients, slow clients and bursts, on real sockets: who is served, who is refused, and how."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import attrs
import pytest
from waiting import until

from llmstep.http import bodies, connections, protocol
from llmstep.http.app import create_app
from llmstep.http.connections import Places
from llmstep.http.fair_queue import MAX_PER_CLIENT, MAX_WAITING
from llmstep.http.server import serve
from llmstep.settings import Settings

from .conftest import STATE, Running, ScriptedEngine, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")


@attrs.frozen
class Answer:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> dict[str, object]:
        content: dict[str, object] = json.loads(self.body)
        return content


def request_bytes(name: str = "", path: str = "/") -> bytes:
    body = json.dumps({"tactic_state": STATE, "prefix": name, "context": ""}).encode()
    who = f"X-Llmstep-Client: {name}\r\n" if name else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{who}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def read(reader: asyncio.StreamReader, started: float = 0.0) -> Answer:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), 30)
    return Answer(int(head[0].split()[1]), headers, body, time.monotonic() - started)


@contextlib.asynccontextmanager
async def idlers(port: int, number: int, said: bytes) -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections that have said this much and say no more."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(number)]
    for _, writer in opened:
        writer.write(said)
    try:
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.close()


SILENT = [
    b"",
    b"POST / HTTP/1.1\r\nHost: loc",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
]


@pytest.mark.parametrize("said", SILENT)
async def test_300_silent_clients_disturb_nobody(up: Running, said: bytes) -> None:
    async with idlers(up.server.port, 300, said):
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
            writer.write(request_bytes())
            answer = await asyncio.wait_for(read(reader), 5)
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
        await until(lambda: made.count == 20)
        assert (await it.client.get("/health")).status_code == 200
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(each.read()) for each in silent], timeout=5, return_when=asyncio.FIRST_COMPLETED
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
        waiting_since: float = 0.0
        gone: bool = False

        def let_go(self) -> None:
            self.gone = True

    places = Places(6, 5)
    many = [Held("many") for _ in range(4)]
    few = [Held("few") for _ in range(2)]
    for each in [*few, *many]:
        assert places.enter(each)
        places.waits(each)
    places.works(many[0])  # its request is being answered
    assert places.enter(Held("new"))
    assert [each.gone for each in many] == [False, True, False, False]
    assert not any(each.gone for each in few)
    assert places.count == 6
    for each in many[2:]:
        places.works(each)
    assert not places.enter(Held("another"))  # nobody is silent among those of the address with the most


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("number", [400, 1000])
async def test_a_burst_is_served_as_far_as_there_are_places_and_the_rest_is_told_at_once(
    number: int, names: bool
) -> None:
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


async def test_the_head_has_a_time_however_it_trickles(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.4)
    reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)

    async def trickle() -> None:
        with contextlib.suppress(OSError):
            for byte in b"POST / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.15)  # the answer is read between two bytes: one that comes behind it resets

    trickling = asyncio.ensure_future(trickle())
    answer = await asyncio.wait_for(read(reader), 5)
    trickling.cancel()
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert answer.json == {
        "error": "The head of the request did not arrive within 0.4 seconds.",
        "hint": "Send it in one piece.",
        "suggestions": [],
    }
    writer.close()
    silent, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    assert await asyncio.wait_for(silent.read(), 5) == b""
    writer.close()


async def test_the_next_head_of_a_connection_has_a_time_too(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    writer.write(request_bytes())
    assert (await read(reader)).status == 200
    writer.write(b"GET /hea")
    assert (await asyncio.wait_for(read(reader), 4)).status == 408
    writer.close()


async def test_a_request_that_waits_for_the_model_is_not_cut_off(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    up.engine.hold = asyncio.Event()
    reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    writer.write(request_bytes())
    await up.engine.runs(1)
    silent, later = await asyncio.open_connection("127.0.0.1", up.server.port)
    assert await asyncio.wait_for(silent.read(), 30) == b""  # it came later, and its time is over
    later.close()
    up.engine.hold.set()
    assert (await read(reader)).status == 200
    writer.close()


async def test_the_body_has_a_time(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)
    async with idlers(up.server.port, 3, SILENT[2]) as silent:
        for reader in silent:
            answer = await asyncio.wait_for(read(reader), 5)
            assert (answer.status, answer.json["error"]) == (408, "The body did not arrive within 0.2 seconds.")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"x" * 70_000, 431),
    ],
)
async def test_what_is_no_http_is_answered_in_json(up: Running, sent: bytes, status: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    writer.write(sent)
    with contextlib.suppress(ConnectionResetError, asyncio.IncompleteReadError):  # it sends on while it is refused
        answer = await asyncio.wait_for(read(reader), 10)
        assert answer.status in (status, 415)  # the second where the head is good
        assert answer.json["error"]
    writer.close()
    assert (await up.client.get("/health")).status_code == 200


async def test_long_contexts_are_read_beside_the_loop(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nearly a megabyte is read, by a thread that takes its time, others are answered."""
    go_on = threading.Event()
    threads = ThreadPoolExecutor(1)
    threads.submit(go_on.wait)
    monkeypatch.setattr(bodies, "_threads", threads)
    long = {"tactic_state": STATE, "prefix": "", "context": "theorem t : p := by\n" + "  have h := (hp)\n" * 50_000}
    asking = asyncio.ensure_future(up.client.post("/", json=long))
    await until(lambda: bodies._long)
    assert (await up.client.get("/health")).status_code == 200
    go_on.set()
    assert (await asking).status_code == 200
    threads.shutdown()


async def test_too_many_long_bodies_are_refused(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_MAX_LONG", 0)
    answer = await up.client.post("/", json={"tactic_state": STATE, "context": "x" * 20_000})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["error"] == "Too many long requests are being read already."
    assert (await up.client.post("/", json={"tactic_state": STATE})).status_code == 200


async def test_a_client_that_reads_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "WRITE_SECONDS", 0.3)
    engine = ScriptedEngine()
    app = create_app(engine, Settings(), at_once=1)  # type: ignore[arg-type]
    server = await serve(app, "127.0.0.1", 0)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        for _ in range(3000):
            writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: not server._server.server_state.connections)
        writer.close()
        del reader
    finally:
        await server.stop()
