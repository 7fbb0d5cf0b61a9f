"""Clients that send or read slowly, on real sockets: the time for heads, bodies and answers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import psutil
import pytest
from waiting import until

from llmstep.http import bodies, connections, security
from llmstep.http.answers import RefusedError
from llmstep.http.app import create_app
from llmstep.http.server import serve
from llmstep.settings import Settings

from .conftest import STATE, Running, ScriptedEngine
from .sockets import SILENT, idlers, read, request_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_head_has_a_time_however_it_trickles(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
    reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)

    async def trickle() -> None:
        with contextlib.suppress(OSError):
            for byte in b"POST / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.15)  # the answer is read between two bytes: one that comes behind it resets

    trickling = asyncio.ensure_future(trickle())
    answer = await asyncio.wait_for(read(reader), 60)
    trickling.cancel()
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert answer.json == {
        "error": "The head of the request did not arrive within 0.4 seconds.",
        "hint": "Send it in one piece.",
        "suggestions": [],
    }
    writer.close()
    silent, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    assert await asyncio.wait_for(silent.read(), 60) == b""
    writer.close()


async def test_the_next_head_of_a_connection_has_a_time_too(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    writer.write(request_bytes())
    assert (await read(reader)).status == 200
    writer.write(b"GET /hea")
    assert (await asyncio.wait_for(read(reader), 60)).status == 408
    writer.close()


async def test_a_request_that_waits_for_the_model_is_not_cut_off(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    up.engine.hold = asyncio.Event()
    reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    writer.write(request_bytes())
    await up.engine.runs(1)
    silent, later = await asyncio.open_connection("127.0.0.1", up.server.port)
    assert await asyncio.wait_for(silent.read(), 60) == b""  # it came later, and its time is over
    later.close()
    up.engine.hold.set()
    assert (await read(reader)).status == 200
    writer.close()


async def test_the_body_has_a_time(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "BODY_SECONDS", 0.2)
    async with idlers(up.server.port, 3, SILENT[2]) as silent:
        for reader in silent:
            answer = await asyncio.wait_for(read(reader), 60)
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
        answer = await asyncio.wait_for(read(reader), 60)
        assert answer.status in (status, 415)  # the second where the head is good
        assert answer.json["error"]
    writer.close()
    assert (await up.client.get("/health")).status_code == 200


@contextlib.contextmanager
def held_threads(number: int) -> Iterator[list[asyncio.Future[bool]]]:
    """So many long texts that are being read, until the end of the block."""
    go_on = threading.Event()
    try:
        yield [asyncio.ensure_future(bodies.aside(go_on.wait, bodies.SHORT + 1)) for _ in range(number)]
    finally:
        go_on.set()


async def test_long_contexts_are_read_beside_the_loop(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nearly a megabyte waits for the threads that read it, others are answered."""
    aside, came = bodies.aside, asyncio.Event()

    async def noticed(work: Callable[[], T], length: int) -> T:
        came.set()
        return await aside(work, length)

    monkeypatch.setattr(bodies, "aside", noticed)
    long = {"tactic_state": STATE, "prefix": "", "context": "theorem t : p := by\n" + "  have h := (hp)\n" * 50_000}
    with held_threads(8) as held:
        asking = asyncio.ensure_future(up.client.post("/", json=long))
        await came.wait()
        assert (await up.client.get("/health")).status_code == 200
        assert not asking.done()
    assert (await asking).status_code == 200
    await asyncio.gather(*held)


async def test_too_many_long_bodies_are_refused(up: Running) -> None:
    with held_threads(200) as held:
        await asyncio.sleep(0)  # they are there
        answer = await up.client.post("/", json={"tactic_state": STATE, "context": "x" * 20_000})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.json()["error"] == "Too many long requests are being read already."
        assert (await up.client.post("/", json={"tactic_state": STATE})).status_code == 200
    assert Counter(map(type, await asyncio.gather(*held, return_exceptions=True))) == {bool: 64, RefusedError: 136}


async def test_a_client_that_reads_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WRITE_SECONDS", 0.3)
    engine = ScriptedEngine()
    app = create_app(engine, Settings(), at_once=1)  # type: ignore[arg-type]
    server = await serve(app, "127.0.0.1", 0)

    def connected() -> bool:
        """Whether the server has taken in the connection, and keeps it."""
        found = psutil.Process().net_connections("tcp")
        return any(each.laddr.port == server.port and each.status == psutil.CONN_ESTABLISHED for each in found)

    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        for _ in range(3000):
            writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(connected)
        await until(lambda: not connected())
        writer.close()
        del reader
    finally:
        await server.stop()
