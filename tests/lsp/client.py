"""An editor for the tests: pygls' client drives `python -m llmstep lsp`; documents, edits, a record of what came.

Nothing of the server is imported but the forms of its answers: everything is seen through the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
from typing import TYPE_CHECKING, Any

from lsp_page import Page, Protocol
from lsprotocol import types
from output_schema import check_answer
from pygls.lsp.client import LanguageClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import psutil

SECONDS = 600.0 if os.environ.get("LLMSTEP_TEST_VLLM") else 150.0  # vLLM takes minutes to start
"""Longest wait for anything; a test that meets it fails."""

CAPABILITIES: Mapping[str, Any] = {
    "general": {"positionEncodings": ["utf-8", "utf-16"]},
    "window": {"workDoneProgress": True},
    "workspace": {
        "workspaceEdit": {"documentChanges": True},
        "inlayHint": {"refreshSupport": True},
    },
}


class Editor:
    """A client process's view of one server."""

    def __init__(self, *, configuration: Any = None) -> None:
        self.client = LanguageClient("test-editor", "1", protocol_cls=Protocol)
        self.configuration = configuration
        self.result: types.InitializeResult
        self.messages: list[str] = []
        self.logs: list[str] = []
        self.traces: list[str] = []
        self.statuses: list[Any] = []
        self.progress: dict[str, list[Any]] = {}
        self._numbers = itertools.count(1)
        self.refreshes = 0
        self.stderr = bytearray()
        self.process: asyncio.subprocess.Process | None = None
        self._news = asyncio.Event()
        self._stderr_task: asyncio.Task[None] | None = None
        self._listen()

    # --- life

    async def start(
        self,
        folder: Path,
        *,
        options: Any = None,
        capabilities: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        ready: bool = True,
        program: Sequence[str] = (sys.executable, "-m", "llmstep"),
    ) -> Editor:
        """Start a server and introduce the editor; `ready` sends `initialized`."""
        await self.client.start_io(*program, "lsp", cwd=folder, env=environment)
        self.adopt()
        return await self.introduce(folder, options=options, capabilities=capabilities, ready=ready)

    def adopt(self) -> None:
        """Take over the process that the client has started."""
        self.process = self.client._server
        self._stderr_task = asyncio.create_task(self._read_stderr())

    async def introduce(
        self, folder: Path, *, options: Any = None, capabilities: Mapping[str, Any] | None = None, ready: bool = True
    ) -> Editor:
        """`initialize`, and `initialized`, on a connection that exists."""
        converter = self.client.protocol._converter
        self.result = await asyncio.wait_for(
            self.client.initialize_async(
                types.InitializeParams(
                    capabilities=converter.structure(capabilities or CAPABILITIES, types.ClientCapabilities),
                    root_uri=folder.as_uri(),
                    initialization_options=options,
                )
            ),
            SECONDS,
        )
        if ready:
            self.client.initialized(types.InitializedParams())
        return self

    async def leave(self) -> int:
        """`shutdown` and `exit`; the exit status of the process."""
        await asyncio.wait_for(self.client.shutdown_async(None), SECONDS)
        self.client.exit(None)
        return await self.ended()

    async def ended(self) -> int:
        """The exit status, once the process has ended."""
        assert self.process is not None
        status = await asyncio.wait_for(self.process.wait(), SECONDS)
        await self.disconnect()
        return status

    async def disconnect(self) -> None:
        self.client._stop_event.set()
        if self._stderr_task is not None:
            await self._stderr_task
        for task in self.client._async_tasks:
            task.cancel()
        await asyncio.gather(*self.client._async_tasks, return_exceptions=True)

    # --- requests

    def open(self, path: Path, text: str, *, language: str = "lean4") -> Page:
        uri = path.as_uri()
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, language, 1, text))
        )
        return Page(self, uri, text)

    async def execute(self, command: str, *arguments: Any, token: str | None = None) -> Any:
        """Run a command; its result as plain objects, of the form that docs/reference says."""
        params = types.ExecuteCommandParams(command, list(arguments) or None, work_done_token=token)
        answer = await asyncio.wait_for(self.client.workspace_execute_command_async(params), SECONDS)
        check_answer(command, answer)
        return answer

    def request(self, method: str, params: Any) -> tuple[str, asyncio.Future[Any]]:
        """Send a request whose id one needs, to cancel it for example."""
        identifier = f"test-{next(self._numbers)}"
        return identifier, self.client.protocol.send_request_async(method, params, msg_id=identifier)

    def cancel(self, identifier: str) -> None:
        self.client.cancel_request(types.CancelParams(identifier))

    # --- what came

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until something that the server sends makes the condition true; its value."""

        async def wait() -> Any:
            while not (value := condition()):
                self._news.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.2)
            return value

        return await asyncio.wait_for(wait(), SECONDS)

    def generates(self, token: str) -> bool:
        """Whether the progress says that the model generates."""
        return any("enerating" in (value.get("message") or "") for value in self.progress.get(token, []))

    def answer(self, method: str, handler: Callable[[Any], Awaitable[Any]]) -> None:
        """Answer a request of the server."""

        async def handle(params: Any) -> Any:
            return await handler(params)

        self.client.feature(method)(handle)

    def _listen(self) -> None:
        client = self.client

        @client.feature(types.WINDOW_SHOW_MESSAGE)
        def _message(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)
            self._news.set()

        @client.feature(types.WINDOW_LOG_MESSAGE)
        def _log(params: types.LogMessageParams) -> None:
            self.logs.append(params.message)
            self._news.set()

        @client.feature(types.LOG_TRACE)
        def _trace(params: types.LogTraceParams) -> None:
            self.traces.append(params.message)
            self._news.set()

        @client.feature("llmstep/status")
        def _status(params: Any) -> None:
            self.statuses.append(params)
            self._news.set()

        @client.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)
        def _create(params: types.WorkDoneProgressCreateParams) -> None:
            self.progress[str(params.token)] = []
            self._news.set()

        @client.feature(types.PROGRESS)
        def _progress(params: types.ProgressParams) -> None:
            self.progress.setdefault(str(params.token), []).append(params.value)
            self._news.set()

        @client.feature(types.WORKSPACE_INLAY_HINT_REFRESH)
        def _refresh(_: Any) -> None:
            self.refreshes += 1
            self._news.set()

        @client.feature(types.WORKSPACE_CONFIGURATION)
        def _configuration(params: types.ConfigurationParams) -> list[Any]:
            return [self.configuration if item.section == "llmstep" else None for item in params.items]

    async def _read_stderr(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        while data := await self.process.stderr.read(4096):
            self.stderr += data


@contextlib.asynccontextmanager
async def editor(folder: Path, *, made: Editor | None = None, **start: Any) -> AsyncIterator[Editor]:
    """An editor with a server, which is gone at the end."""
    made = made or Editor()
    try:
        await made.start(folder, **start)
        yield made
    finally:
        if made.process is not None and made.process.returncode is None:
            try:
                await made.leave()
            except Exception:
                made.process.kill()
                raise


@contextlib.contextmanager
def suspended(*processes: psutil.Process) -> Iterator[None]:
    """Processes that do nothing until the end of the block."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()
