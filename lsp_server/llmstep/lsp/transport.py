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
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, NoReturn

from pygls.io_ import WebSocketWriter

from llmstep.address import is_loopback
from llmstep.errors import RequestError
from llmstep.lsp.framing import PARSE_ERROR, Fault, Stream, decode, read_messages
from llmstep.lsp.outbox import Outbox

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection  # type: ignore[import-not-found, unused-ignore]

    from llmstep.lsp.session import Session

_SECONDS_TO_DRAIN = 2.0
"""How long a client may take to read the last answers."""

_log = logging.getLogger(__name__)


def run_stdio(server: Session) -> int:
    """Serve the client at stdin and stdout; from here on nothing else reaches stdout."""
    return _run(_stdio(server))


def run_tcp(server: Session, host: str, port: int) -> int:
    """Listen, serve the first client that connects, end with it; port 0 takes any free port.

    Raises:
        RequestError: Other machines could reach the address.
    """
    return _run(_tcp(server, _local(host), port))


def run_ws(server: Session, host: str, port: int) -> int:
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


async def _stdio(server: Session) -> int:
    wire = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not reach the wire
    try:
        return await _wired(server, lambda size: os.read(0, size), lambda data: os.write(wire, data))
    finally:
        os.close(wire)


async def _wired(server: Session, read: Callable[[int], bytes], write: Callable[[memoryview], int]) -> int:
    """Serve the client at two blocking ends, each with a thread of its own, since pipes and files cannot be watched
    alike on all systems; the threads are daemons, as a read has no end.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def write_all(data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[write(rest) :]

    def lost() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(server.leave, 1)

    def pump() -> None:
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: the loop has ended before the input
            for data in read_messages(Stream(read)):
                server.protocol.receive(data, loop)
                outbox.wait_for_room()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    outbox = server.protocol.outbox = Outbox(write_all, lost)
    threading.Thread(target=pump, name="llmstep-in", daemon=True).start()
    status = await _serve(server, ended.wait())
    await asyncio.to_thread(outbox.drain, _SECONDS_TO_DRAIN)
    return status


async def _tcp(server: Session, host: str, port: int) -> int:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise RequestError(
            f"The language server cannot listen at {host}:{port}: {reason}.",
            hint="Choose another port, or 0 for any free port.",
        ) from None
    with listener:
        listener.setblocking(False)
        _announce("tcp", listener.getsockname())
        client, _ = await loop.sock_accept(listener)
    with client:
        client.setblocking(True)
        return await _wired(server, client.recv, client.send)


async def _ws(server: Session, host: str, port: int) -> int:
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
            server.protocol.set_writer(WebSocketWriter(socket), include_headers=False)
            status.set_result(await _serve(server, _frames(server, socket)))

    async with serve(connected, host, port) as listener:
        _announce("ws", next(iter(listener.sockets)).getsockname())
        return await status


async def _frames(server: Session, socket: ServerConnection) -> None:
    """Handle the messages of a WebSocket until it closes."""
    loop = asyncio.get_running_loop()
    async for data in socket:
        message, end = await asyncio.to_thread(decode, data if isinstance(data, bytes) else data.encode())
        if end is not None:
            message = Fault(PARSE_ERROR, "The message is longer than it says.", "Send it again.")
        await asyncio.to_thread(server.protocol.receive, message, loop)


async def _serve(server: Session, connection: Awaitable[object]) -> int:
    """Serve until the client leaves or the process is asked to stop; then stop everything."""
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
