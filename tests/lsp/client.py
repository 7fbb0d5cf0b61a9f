"""An editor for the tests: pygls' client drives `python -m llmstep lsp`; documents, edits, a record of what came.

Nothing of the server is imported but the forms of its answers: everything is seen through the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol import types
from output_schema import check_answer
from pygls.lsp.client import LanguageClient
from pygls.protocol import LanguageServerProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

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


def offset(text: str, position: types.Position) -> int:
    """Offset of a UTF-16 position, computed here in another way than in the package."""
    lines = re.split(r"(?<=\n)", text)
    line = lines[position.line].encode("utf-16-le")[: 2 * position.character].decode("utf-16-le")
    return sum(map(len, lines[: position.line])) + len(line)


def position(text: str, index: int) -> types.Position:
    """UTF-16 position of an offset."""
    before = text[:index].split("\n")
    return types.Position(len(before) - 1, len(before[-1].encode("utf-16-le")) // 2)


def apply(text: str, edits: list[types.TextEdit]) -> str:
    """The text after non-overlapping edits."""
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
        text = text[: offset(text, edit.range.start)] + edit.new_text + text[offset(text, edit.range.end) :]
    return text


@attrs.define
class CodeActionsAnswer:
    """The answer to a request for code actions; lsprotocol takes an action with a command for a bare command."""

    id: int | str
    jsonrpc: str
    result: list[types.CodeAction] | None = None


class Protocol(LanguageServerProtocol):
    """pygls' protocol with that answer."""

    def get_result_type(self, method: str) -> type[Any] | None:
        if method == types.TEXT_DOCUMENT_CODE_ACTION:
            return CodeActionsAnswer
        return super().get_result_type(method)


class Page:
    """A document that is open in the editor."""

    def __init__(self, editor: Editor, uri: str, text: str) -> None:
        self.editor = editor
        self.uri = uri
        self.text = text
        self.version = 1

    @property
    def id(self) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri)

    def at(self, mark: str, shift: int = 0) -> types.Position:
        """Position of the first occurrence of `mark`, moved by characters."""
        return position(self.text, self.text.index(mark) + shift)

    def replace(self, old: str, new: str) -> None:
        """Edit the first occurrence of `old`, as one incremental change."""
        start = self.text.index(old)
        self.edit(types.Range(position(self.text, start), position(self.text, start + len(old))), new)

    def edit(self, where: types.Range, new: str) -> None:
        self.text = apply(self.text, [types.TextEdit(where, new)])
        self._changed(types.TextDocumentContentChangePartial(range=where, text=new))

    def set(self, text: str) -> None:
        """Replace the whole text, as one full change."""
        self.text = text
        self._changed(types.TextDocumentContentChangeWholeDocument(text=text))

    def _changed(self, change: types.TextDocumentContentChangeEvent) -> None:
        self.version += 1
        self.editor.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version=self.version, uri=self.uri), [change]
            )
        )

    def accept(self, action: types.CodeAction) -> str:
        """The text after the action's edit, which must be for this document at this version."""
        assert action.edit is not None
        assert action.edit.document_changes is not None
        [change] = action.edit.document_changes
        assert isinstance(change, types.TextDocumentEdit)
        assert change.text_document.uri == self.uri
        assert change.text_document.version == self.version
        return apply(self.text, list(change.edits))

    async def actions(
        self,
        where: types.Position | types.Range,
        *,
        only: list[str] | None = None,
        diagnostics: list[types.Diagnostic] | None = None,
    ) -> list[types.CodeAction]:
        """The code actions at a place."""
        place = where if isinstance(where, types.Range) else types.Range(where, where)
        context = types.CodeActionContext(diagnostics or [], only=only)
        params = types.CodeActionParams(self.id, place, context)
        answer = await self.editor.client.text_document_code_action_async(params)
        return list(answer or [])

    async def hints(self, start: int = 0, end: int = 10_000) -> list[types.InlayHint]:
        """The inlay hints in the lines from `start` up to `end`, exclusive."""
        place = types.Range(types.Position(start, 0), types.Position(end, 0))
        return list(
            await self.editor.client.text_document_inlay_hint_async(types.InlayHintParams(self.id, place)) or []
        )

    async def suggest(self, where: types.Position, *, token: str | None = None, **more: Any) -> Any:
        """Run `llmstep.suggest`; the result as plain objects."""
        argument = {"textDocument": {"uri": self.uri}, "position": where, **more}
        return await self.editor.execute("llmstep.suggest", argument, token=token)

    def close(self) -> None:
        self.editor.client.text_document_did_close(types.DidCloseTextDocumentParams(self.id))


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
        identifier = f"test-{id(params)}"
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
