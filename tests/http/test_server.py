"""Listening, and finding a server that listens already."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from waiting import until

from llmstep import __version__
from llmstep.catalog.model_key import ModelKey
from llmstep.errors import LlmstepError
from llmstep.http import kept
from llmstep.http.app import create_app
from llmstep.http.probe import probe
from llmstep.http.server import ListenError, PortInUseError, serve
from llmstep.settings import Settings

from .conftest import Running, ScriptedEngine, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.applications import Starlette

pytestmark = pytest.mark.asyncio(loop_scope="module")


@contextlib.contextmanager
def listener(host: str = "127.0.0.1") -> Iterator[int]:
    """A port where something listens and never answers."""
    with socket.create_server((host, 0)) as taken:
        yield taken.getsockname()[1]


@contextlib.asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A port where another program answers every connection with these bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def app() -> object:
    return create_app(ScriptedEngine(), Settings())  # type: ignore[arg-type]


async def test_port_0_reports_the_real_port(up: Running) -> None:
    assert up.server.port > 1023
    assert up.server.url == f"http://127.0.0.1:{up.server.port}"
    assert (await up.client.get("/health")).status_code == 200


async def test_signal_handlers_stdout_and_logging_belong_to_the_caller(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    async with running() as it:
        await it.client.get("/health")
        await it.client.post("/", content=b"{", headers={"Content-Type": "application/json"})
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert capfd.readouterr() == ("", "")


async def test_stop_frees_the_port_at_once_and_may_be_called_twice() -> None:
    async with running() as it:
        await it.client.get("/health")  # leaves a connection that is kept alive
        port = it.server.port
        await it.server.stop()
        await it.server.stop()
    again = await serve(app(), "127.0.0.1", port)  # type: ignore[arg-type]
    assert again.port == port
    await again.stop()


async def test_a_port_of_another_program() -> None:
    with listener() as port, pytest.raises(PortInUseError) as caught:
        await serve(app(), "127.0.0.1", port)  # type: ignore[arg-type]
    assert caught.value.message == f"Port {port} at 127.0.0.1 is used by another program."
    assert caught.value.hint == "End it, or set llmstep.http.port to another port."


async def test_a_port_of_another_program_is_tried_for_once_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_SECONDS_BETWEEN_TRIES", 0.2)
    tries: list[float] = []
    failures: list[LlmstepError] = []

    class Wanted(kept.Kept):
        def place(self) -> tuple[str, int]:
            return "127.0.0.1", port

        def make(self) -> Starlette:
            tries.append(time.monotonic())
            return create_app(ScriptedEngine(), Settings())  # type: ignore[arg-type]

        async def on_failure(self, error: LlmstepError) -> None:
            failures.append(error)

        def on_change(self) -> None: ...

    async with answering(b"no HTTP") as port:
        server = Wanted()
        for number in range(1, 21):
            server.follow()
            await until(lambda number=number: len(tries) >= number)
        before, started = len(tries), time.monotonic()
        await asyncio.sleep(1)
        assert len(tries) - before <= (time.monotonic() - started) / 0.2 + 2
    await until(lambda: server.url is not None)
    assert len(failures) == 1
    await server.stop()


async def test_a_port_of_another_llmstep(up: Running) -> None:
    with pytest.raises(PortInUseError) as caught:
        await serve(app(), "127.0.0.1", up.server.port)  # type: ignore[arg-type]
    assert caught.value.message == (
        f"Port {up.server.port} is used by another llmstep ({__version__}, model scripted) already."
    )
    assert caught.value.hint.startswith("Use that one")


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "a" * 300])
async def test_an_address_of_another_machine(host: str) -> None:
    with pytest.raises(ListenError) as caught:
        await serve(app(), host, 0)  # type: ignore[arg-type]
    assert not isinstance(caught.value, PortInUseError)
    assert host in caught.value.message
    assert caught.value.hint == "Listen at 127.0.0.1."


async def test_localhost_and_ipv6() -> None:
    server = await serve(app(), "localhost", 0)  # type: ignore[arg-type]
    assert server.host == "127.0.0.1"
    await server.stop()
    if socket.has_ipv6:
        with contextlib.suppress(ListenError):  # a machine may have IPv6 compiled in and switched off
            six = await serve(app(), "::1", 0)  # type: ignore[arg-type]
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                assert (await client.get(f"{six.url}/health")).json()["name"] == "llmstep"
            found = await probe("::1", six.port)
            assert found is not None
            assert (found.url, found.pid) == (six.url, os.getpid())
            await six.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
async def test_probe_finds_a_server(up: Running, host: str) -> None:
    shown = "127.0.0.1" if host == "0.0.0.0" else host
    found = await probe(host, up.server.port)
    assert found is not None
    assert (found.url, found.version) == (f"http://{shown}:{up.server.port}", __version__)
    assert (found.model, found.state, found.pid) == ("scripted", "idle", os.getpid())
    assert found.model_key == ModelKey.of(Settings()).digest


async def test_probe_of_a_server_with_a_token() -> None:
    async with running(token="0123456789abcdef") as it:
        assert await probe("127.0.0.1", it.server.port) is None
        found = await probe("127.0.0.1", it.server.port, token="0123456789abcdef")
        assert found is not None
        assert found.model == "scripted"


async def test_probe_finds_nothing_where_nothing_listens() -> None:
    with listener() as port:
        pass
    assert await probe("127.0.0.1", port) is None
    assert await probe("127.0.0.1", 0) is None


async def test_probe_does_not_ask_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_args: object, **_options: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(asyncio, "open_connection", never)
    assert await probe("192.168.0.7", 6000) is None
    assert await probe("evil.example", 6000) is None


async def test_probe_has_a_limit() -> None:
    with listener() as port:
        assert await asyncio.wait_for(probe("127.0.0.1", port, seconds=0.1), 60) is None


OTHERS: list[Callable[[], bytes]] = [
    lambda: b"",
    lambda: b"SSH-2.0-OpenSSH_9.2\r\n",
    lambda: b"HTTP/1.1 200 OK\r\n\r\nhello",
    lambda: b'HTTP/1.1 200 OK\r\n\r\n{"status": "ok"}',
    lambda: b"HTTP/1.1 200 OK\r\n\r\n[1]",
    lambda: b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe",
    lambda: (
        b'HTTP/1.1 404 No\r\n\r\n{"status":"ok","name":"llmstep","version":"1","model":"m","state":"idle","protocol":1}'
    ),
    lambda: (
        b'HTTP/1.1 200 OK\r\n\r\n{"status":"ok","name":"llmstep","version":"1","model":"m","state":"idle","protocol":2}'
    ),
    lambda: (
        b'HTTP/1.1 200 OK\r\n\r\n{"status":"ok","name":"other","version":"1","model":"m","state":"idle","protocol":1}'
    ),
    lambda: b"x" * 10_000_000,
]


@pytest.mark.parametrize("answer", OTHERS)
async def test_probe_is_not_taken_in_by_other_programs(answer: Callable[[], bytes]) -> None:
    async with answering(answer()) as port:
        assert await probe("127.0.0.1", port) is None
