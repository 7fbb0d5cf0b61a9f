"""Wires to the client: stdio, and TCP and WebSocket for debugging.

Each `run_*` serves one client until it leaves, stops what the server has started, and returns the exit status: 0 after
`shutdown` and `exit`, 1 when the client vanished without.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from pygls.io_ import run_async, run_websocket

from llmstep.address import is_loopback
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from websockets.asyncio.server import ServerConnection  # type: ignore[import-not-found, unused-ignore]

    from llmstep.lsp.server import LlmstepServer

_CHUNK = 1 << 16

_log = logging.getLogger(__name__)


def run_stdio(server: LlmstepServer) -> int:
    """Serve the client at stdin and stdout; from here on nothing else reaches stdout."""
    return _run(_stdio(server))


def run_tcp(server: LlmstepServer, host: str, port: int) -> int:
    """Listen, serve the first client that connects, end with it; port 0 takes any free one.

    Raises:
        RequestError: Other machines could reach the address.
    """
    return _run(_tcp(server, _local(host), port))


def run_ws(server: LlmstepServer, host: str, port: int) -> int:
    """The same with a WebSocket, one message a frame.

    Raises:
        RequestError: Other machines could reach the address, or the package `websockets` is not installed.
    """
    return _run(_ws(server, _local(host), port))


def _run(serving: Coroutine[None, None, int]) -> int:
    """Run to the end. `asyncio.run` would then wait for threads, one that loads a model for example."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop.run_until_complete(serving)


def end_process(status: int) -> NoReturn:
    """Leave at once: a thread that loads a model, or waits in a read of stdin, would otherwise be waited for."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)


async def _stdio(server: LlmstepServer) -> int:
    wire = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not reach the wire
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    # A thread of its own, as pipes and files cannot be watched alike on all systems; a daemon, as a read has no end.
    threading.Thread(target=_pump, args=(0, reader, loop), name="stdin", daemon=True).start()
    server.protocol.set_writer(_Pipe(wire, server))
    return await _serve(server, _messages(server, reader))


def _pump(source: int, reader: asyncio.StreamReader, loop: asyncio.AbstractEventLoop) -> None:
    """Read a file descriptor to its end into `reader`."""
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: the loop has ended before the input
        while data := os.read(source, _CHUNK):
            loop.call_soon_threadsafe(reader.feed_data, data)
        loop.call_soon_threadsafe(reader.feed_eof)


class _Pipe:
    """Writes to a file descriptor; a client that has gone ends the server."""

    def __init__(self, descriptor: int, server: LlmstepServer) -> None:
        self._descriptor = descriptor
        self._server = server

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            self._server.leave(1)

    def close(self) -> None:
        os.close(self._descriptor)


async def _tcp(server: LlmstepServer, host: str, port: int) -> int:
    client: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Future()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if client.done():
            writer.close()
        else:
            client.set_result((reader, writer))

    async with await asyncio.start_server(connected, host, port) as listener:
        _announce("tcp", listener.sockets[0].getsockname())
        reader, writer = await client
        listener.close()
        server.protocol.set_writer(writer)
        status = await _serve(server, _messages(server, reader))
        with contextlib.suppress(OSError):
            await writer.drain()
            writer.close()
        return status


async def _ws(server: LlmstepServer, host: str, port: int) -> int:
    try:
        from websockets.asyncio.server import serve
    except ImportError:
        raise RequestError(
            "The package `websockets` is not installed.", hint="Install it with: pip install 'llmstep[ws]'"
        ) from None
    status: asyncio.Future[int] = asyncio.Future()

    async def connected(socket: ServerConnection) -> None:
        if listener.is_serving() and not status.done():
            listener.close(close_connections=False)
            connection = run_websocket(socket, threading.Event(), server.protocol, _log, server.report_server_error)
            status.set_result(await _serve(server, connection))

    async with serve(connected, host, port) as listener:
        _announce("ws", next(iter(listener.sockets)).getsockname())
        return await status


async def _messages(server: LlmstepServer, reader: asyncio.StreamReader) -> None:
    """Handle messages until the stream ends."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        await run_async(threading.Event(), reader, server.protocol, _log, server.report_server_error)


async def _serve(server: LlmstepServer, connection: Awaitable[None]) -> int:
    """Serve until the client leaves or the process is told to stop; then stop everything."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # Windows; not in the main thread
        loop.add_signal_handler(signal.SIGTERM, server.leave, 1)
        loop.add_signal_handler(signal.SIGINT, server.leave, 1)
    messages = asyncio.ensure_future(connection)
    left = asyncio.ensure_future(server.left.wait())
    await asyncio.wait({messages, left}, return_when=asyncio.FIRST_COMPLETED)
    await server.close()
    for task in (messages, left):
        task.cancel()
    await asyncio.gather(messages, left, return_exceptions=True)
    return server.exit_status


def _local(host: str) -> str:
    if not is_loopback(host):
        raise RequestError(
            f"The language server does not listen at {host!r}, because other machines reach it.",
            hint="Use 127.0.0.1.",
        )
    return host


def _announce(kind: str, address: tuple[str, int]) -> None:
    print(f"llmstep: listening at {kind}://{address[0]}:{address[1]}", file=sys.stderr, flush=True)  # noqa: T201
