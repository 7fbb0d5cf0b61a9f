"""The MCP server, at stdin and stdout or at a port: lists tools, calls them, sends progress, ends what is cancelled."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from pygls.uris import to_fs_path
from starlette.routing import Route

from llmstep import __version__
from llmstep.http.answers import unexpected
from llmstep.http.security import guarded_app
from llmstep.http.server import serve
from llmstep.mcp.service import Service
from llmstep.mcp.tools import TOOLS
from llmstep.printable import json_text
from llmstep.progress import Progress

INSTRUCTIONS = """\
llmstep proposes steps of Lean 4 proofs from a language model and lets a real Lean judge them. Give files by their path
and positions by line and column from 1. Start with `suggest` at a `sorry`; `check` judges a step of your own; `prove`
searches for a whole proof. Nothing is written: insert what you choose by its edit."""
PATH = "/mcp"
"""Of the server by streamable HTTP."""
ROOTS = "roots"
"""Name of the question for the client's folders."""
SECONDS_FOR_ROOTS = 10.0

_log = logging.getLogger(__name__)


def make_server(service: Service) -> Server[Any]:
    """The server, for either transport."""

    async def list_tools(
        _: ServerRequestContext[Any, Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed())

    async def call_tool(
        context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        if params.name not in TOOLS:
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {params.name[:60]!r}: {', '.join(TOOLS)}.")
        raw = params.arguments or {}
        roots = [] if await asyncio.to_thread(service.has, raw) else await _client_roots(context, params)
        if isinstance(roots, types.InputRequiredResult):
            return roots
        try:
            record = await _called(context, service, params.name, raw, roots)
        except Exception as error:
            return _result(str(unexpected(error)))
        return _result(json_text(record), record)  # as text too, for clients that read no structures

    return Server(
        "llmstep",
        version=__version__,
        title="llmstep",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


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
    app = guarded_app([Route(PATH, StreamableHTTPASGIApp(manager))], host, token)
    async with manager.run():
        listening = await serve(app, host, port)
        try:
            ready(listening.url + PATH)
            await listening.wait()
        finally:
            await listening.stop()


def listed() -> list[types.Tool]:
    """The tools as clients see them, which scripts/reference.py writes from `TOOLS`."""
    file = Path(__file__).with_name("tools.json")
    return [types.Tool.model_validate(each) for each in json.loads(file.read_text(encoding="utf-8"))]


async def _called(
    context: ServerRequestContext[Any, Any], service: Service, name: str, raw: dict[str, Any], roots: Sequence[Path]
) -> dict[str, Any]:
    """The answer of a tool, while its progress is sent. Cancelled, it ends when the work has ended.

    The work is a task of its own: the SDK cancels again and again until its own task has ended, which would cut the
    work off while it sets Lean and the model free.
    """
    news: asyncio.Queue[Progress | None] = asyncio.Queue()
    work = asyncio.create_task(service.call(name, raw, roots, news.put_nowait))
    work.add_done_callback(lambda _: news.put_nowait(None))
    number = 0
    try:
        while (step := await news.get()) is not None:
            number += 1  # must grow with each, which no single count of the stages does
            await context.session.report_progress(number, message=_words(step))
        return work.result()
    finally:
        if not work.done():
            work.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({work})


async def _client_roots(
    context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
) -> list[Path] | types.InputRequiredResult:
    """The folders that the client has open; none where it cannot be asked.

    Up to MCP 2025-11-25 the server asks; later the client is to ask itself, and to call again with the answer.
    """
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.roots is None:
        return []
    answer: Any
    if context.session.can_send_request:
        related = ServerMessageMetadata(related_request_id=context.request_id)
        try:
            answer = await context.session.send_request(
                types.ListRootsRequest(), types.ListRootsResult, SECONDS_FOR_ROOTS, related
            )
        except Exception as error:  # of a client that says it has roots, and has none
            _log.warning("the client does not list its folders: %s", error)
            return []
    else:
        if params.input_responses is None:
            return types.InputRequiredResult(input_requests={ROOTS: types.ListRootsRequest()})
        answer = params.input_responses.get(ROOTS)
    roots = answer.roots if isinstance(answer, types.ListRootsResult) else []
    paths = [Path(path) for root in roots if (path := to_fs_path(str(root.uri)))]
    return [path for path in paths if path.is_absolute()]


def _words(step: Progress) -> str:
    if not step.total:
        return step.message
    done = f"{step.percent} %" if step.stage == "download" else f"{step.done}/{step.total}"
    return f"{step.message} ({done})"


def _result(text: str, record: dict[str, Any] | None = None) -> types.CallToolResult:
    """An error, where there is no record."""
    return types.CallToolResult(
        content=[types.TextContent(text=text)], structured_content=record, is_error=record is None
    )
