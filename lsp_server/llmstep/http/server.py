"""The endpoint on a socket, inside a running asyncio loop.

No signal handler is installed, and nothing is written to stdout (the language server's wire).
"""

from __future__ import annotations

import asyncio
import errno
import functools
import socket
import sys

import uvicorn
from starlette.applications import Starlette

from llmstep.address import url_of
from llmstep.errors import LlmstepError
from llmstep.http.connections import Connection, places
from llmstep.http.probe import probe

_SECONDS_TO_STOP = 2
_BACKLOG = 2048
"""Connections that the system keeps until they are taken in; a burst must not overflow it."""


class ListenError(LlmstepError, code="listen"):
    """The server cannot listen at the address wanted."""


class PortInUseError(ListenError, code="port_in_use", retryable=True):
    """Another program listens at the port."""


class HttpServer:
    """A server that listens; made by `serve`."""

    def __init__(self, app: Starlette, server: uvicorn.Server, listener: socket.socket) -> None:
        self.host: str = listener.getsockname()[0]
        self.port: int = listener.getsockname()[1]
        self.app = app
        self._server = server
        self._task = asyncio.create_task(self._run(listener), name="llmstep-http")

    async def _run(self, listener: socket.socket) -> None:
        await self._server.main_loop()
        await self._server.shutdown([listener])

    @property
    def url(self) -> str:
        return url_of(self.host, self.port)

    async def wait(self) -> None:
        """Wait until the server has ended; cancelling the wait leaves the server alone."""
        await asyncio.shield(self._task)

    async def drain(self, seconds: float) -> None:
        """Stop listening, and wait at most so long until the requests in work have been answered."""
        self.app.state.draining = True
        self._server.config.timeout_graceful_shutdown = seconds + _SECONDS_TO_STOP  # type: ignore[assignment]
        self._server.should_exit = True
        await asyncio.wait({self._task}, timeout=seconds)

    async def stop(self) -> None:
        """Stop listening, answer the requests in work with 503, close all connections. A second call does nothing."""
        self.app.state.stopping.set()
        self._server.should_exit = True
        await self.wait()


async def serve(app: Starlette, host: str, port: int) -> HttpServer:
    """Listen and answer until `HttpServer.stop`.

    Args:
        app: Of `create_app`, with the same host in its settings.
        port: 0 takes any free port; `HttpServer.port` is the real one.

    Raises:
        PortInUseError: Another program listens there; the message says so when it is llmstep itself.
        ListenError: The address cannot be listened at.
    """
    try:
        listener = _bind(host, port)
    except PortInUseError:
        health = await probe(host, port)
        if health is None:
            raise
        raise PortInUseError(
            f"Port {port} is used by another llmstep ({health.version}, model {health.model}) already.",
            hint="Use that one, end it, or set llmstep.http.port to another port.",
        ) from None
    config = uvicorn.Config(
        app,
        http=functools.partial(Connection, places=places()),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # of malformed requests; failures of the application are logged by it
        access_log=False,
        proxy_headers=False,  # the guards read the headers of the client, not those it claims for another
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_SECONDS_TO_STOP,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])  # not `serve`, whose signal handlers take Ctrl-C from the owner of the loop
    return HttpServer(app, server, listener)


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises as `serve`."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ListenError(f"There is no address {host!r} on this machine.", hint="Listen at 127.0.0.1.") from None
    # `localhost` has an address of both kinds; clients that try IPv6 first fall back to IPv4, not all the other way.
    family, kind, protocol, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)  # of TCP by name: else asyncio leaves Nagle's algorithm on
    try:
        if sys.platform == "win32":  # there, SO_REUSEADDR would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE or getattr(error, "winerror", None) == 10048:
            raise PortInUseError(
                f"Port {port} at {host} is used by another program.",
                hint="End it, or set llmstep.http.port to another port.",
            ) from None
        if error.errno == errno.EACCES:
            raise ListenError(f"Listening at port {port} is not permitted.", hint="Choose a port above 1023.") from None
        raise ListenError(f"llmstep cannot listen at {host}: {error.strerror}.", hint="Listen at 127.0.0.1.") from None
    return listener
