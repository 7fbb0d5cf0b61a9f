"""The MCP server at stdin and stdout, or at a port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from llmstep.http.security import SecurityMiddleware
from llmstep.http.server import serve

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

PATH = "/mcp"


async def run_stdio(server: Server[Any]) -> None:
    """Serve one client until it closes stdin. What else is written to stdout meanwhile goes to stderr."""
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


async def run_http(server: Server[Any], host: str, port: int, token: str, ready: Callable[[str], None]) -> None:
    """Serve clients by streamable HTTP until cancelled.

    Args:
        token: Bearer token that every request must carry.
        ready: Called with the address, once requests are answered.

    Raises:
        ListenError: The address cannot be listened at.
    """
    from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager

    manager = StreamableHTTPSessionManager(server)
    app = Starlette(
        routes=[Route(PATH, StreamableHTTPASGIApp(manager))],
        middleware=[Middleware(SecurityMiddleware, host=host, token=token)],
    )
    app.state.stopping = asyncio.Event()
    app.state.draining = False
    async with manager.run():
        listening = await serve(app, host, port)
        try:
            ready(listening.url + PATH)
            await listening.wait()
        finally:
            await listening.stop()
