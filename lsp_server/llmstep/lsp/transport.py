"""Wires to the client: stdio, and TCP and WebSocket for debugging.

Each `run_*` serves one client until it leaves, stops what the server has started, and returns the exit status: 0 after
`shutdown` and `exit`, 1 when the client vanished without. A wire has two blocking ends, each with a thread of its own,
since pipes and files cannot be watched alike on all systems.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from llmstep.address import is_loopback
from llmstep.errors import RequestError
from llmstep.lsp.framing import MAX_BYTES, PARSE_ERROR, Fault, decode, framed, read_messages
from llmstep.lsp.outbox import Outbox

if TYPE_CHECKING:
    from websockets.sync.server import ServerConnection  # type: ignore[import-not-found, unused-ignore]

    from llmstep.lsp.session import Session

_SECONDS_TO_DRAIN = 2.0
"""How long a client may take to read the last answers."""


def run_stdio(server: Session) -> int:
    """Serve the client at stdin and stdout; from here on nothing else reaches stdout."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not reach the wire
    return _serve(server, read_messages(open(0, "rb", closefd=False)), _writer(out))


def run_tcp(server: Session, host: str, port: int) -> int:
    """Listen, serve the first client that connects, end with it; port 0 takes any free port.

    Raises:
        RequestError: Other machines could reach the address, or it is in use.
    """
    with _listening("tcp", host, port) as listener:
        client, _ = listener.accept()
    return _serve(server, read_messages(client.makefile("rb")), _writer(client.makefile("wb")))


def run_ws(server: Session, host: str, port: int) -> int:
    """The same with a WebSocket, one message a frame.

    Raises:
        RequestError: As `run_tcp`, or the package `websockets` is not installed.
    """
    try:
        from websockets.sync.server import serve
    except ImportError:
        raise RequestError(
            "The package `websockets` is not installed.", hint="Install it with: pip install 'llmstep[ws]'"
        ) from None
    clients: queue.SimpleQueue[ServerConnection] = queue.SimpleQueue()

    def connected(client: ServerConnection) -> None:
        clients.put(client)
        threading.Event().wait()  # the connection would be closed

    with _listening("ws", host, port) as listener:
        websocket = serve(connected, sock=listener, max_size=MAX_BYTES)
        threading.Thread(target=websocket.serve_forever, daemon=True).start()
        client = clients.get()
    status = _serve(server, _frames(client), client.send)
    client.close()
    return status


def end_process(status: int) -> NoReturn:
    """Leave at once: a thread that loads a model, or waits in a read of stdin, would otherwise be waited for."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)


def _listening(kind: str, host: str, port: int) -> socket.socket:
    """A socket for one client of this machine; where it listens is said on stderr."""
    if not is_loopback(host):
        raise RequestError(
            f"The language server does not listen at {host!r}, because other machines reach it.",
            hint="Use 127.0.0.1.",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise RequestError(
            f"The language server cannot listen at {host}:{port}: {reason}.",
            hint="Choose another port, or 0 for any free port.",
        ) from None
    address = listener.getsockname()
    print(f"llmstep: listening at {kind}://{address[0]}:{address[1]}", file=sys.stderr, flush=True)  # noqa: T201
    return listener


def _writer(out: BinaryIO) -> Callable[[bytes], None]:
    def write(body: bytes) -> None:
        out.write(framed(body))
        out.flush()

    return write


def _frames(client: ServerConnection) -> Iterator[Any]:
    from websockets.exceptions import ConnectionClosed  # type: ignore[import-not-found, unused-ignore]

    with contextlib.suppress(ConnectionClosed):
        for frame in client:
            message, end = decode(frame if isinstance(frame, bytes) else frame.encode())
            longer = Fault(PARSE_ERROR, "The message is longer than it says.", "Send it again.")
            yield message if end is None else longer


def _serve(server: Session, messages: Iterable[Any], write: Callable[[bytes], object]) -> int:
    """Run to the end. `asyncio.run` would then wait for threads, one that loads a model for example."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop.run_until_complete(_served(server, messages, write))


async def _served(server: Session, messages: Iterable[Any], write: Callable[[bytes], object]) -> int:
    """Serve until the client leaves or the process is asked to stop; then stop everything."""
    loop = asyncio.get_running_loop()

    def gone() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(server.leave, 1)

    def read() -> None:
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: the loop has ended before the input
            for message in messages:
                server.protocol.receive(message, loop)
                outbox.wait_for_room()
        gone()

    outbox = server.protocol.outbox = Outbox(write, gone)
    threading.Thread(target=read, name="llmstep-in", daemon=True).start()
    with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # Windows; not in the main thread
        loop.add_signal_handler(signal.SIGTERM, server.leave, 1)
        loop.add_signal_handler(signal.SIGINT, server.leave, 1)
    await server.left.wait()
    await server.close()
    await asyncio.to_thread(outbox.close, _SECONDS_TO_DRAIN)
    return server.exit_status
