"""A Lean server for one project: documents kept in step, diagnostics of exactly one version, goals at a position."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import attrs
from pygls.exceptions import JsonRpcException

from llmstep.errors import CancelledError, LeanCrashedError, LeanError
from llmstep.lean import process
from llmstep.lean.client import LeanClient, Params, fail
from llmstep.lean.text import minimal_edit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lsprotocol.types import Position

    from llmstep.lean.process import LeanProcess

PUBLISH = "textDocument/publishDiagnostics"
PROGRESS = "$/lean/fileProgress"
FATAL = 2
"""Kind of progress that says: nothing will come any more."""

CONTENT_MODIFIED = -32801
REQUEST_CANCELLED = -32800
WORKER_EXITED = -32901
WORKER_CRASHED = -32902


@attrs.define(eq=False)
class _Document:
    """What the server knows about one document."""

    uri: str
    text: str
    version: int = 1
    home: LeanClient | None = None
    """The process it is open in; None when it must be opened before the next use."""
    diagnostics: list[Params] = attrs.field(factory=list)
    """The last that came for `version`."""
    calls: set[asyncio.Future[Any]] = attrs.field(factory=set)
    """Pending requests about `version`."""


class LeanServer:
    """One Lean server, started on first use and again after it died. To be used from one event loop.

    Args:
        command: Argument vector of the server, see `llmstep.lean.project.server_command`.
        root: Folder it runs in.
        timeout: Longest wait in seconds, for the start and for each request that names no other.

    Every method may raise `LeanNotFoundError` or `LeanError` (the server cannot be started), `LeanCrashedError` (it, or
    the worker of the document, died during the call: the same call again starts a new one), `LeanTimeoutError`, and
    `CancelledError` (the document was edited or closed, or the server stopped, during the call).
    """

    def __init__(self, command: Sequence[str], root: Path, *, timeout: float) -> None:
        self.command = tuple(command)
        self.root = root
        self.timeout = timeout
        self._client: LeanClient | None = None
        self._starting: asyncio.Task[LeanClient] | None = None
        self._stopped = False
        self._documents: dict[str, _Document] = {}

    @property
    def alive(self) -> bool:
        """Whether the process runs and has been initialized."""
        return self._client is not None and self._client.alive

    @property
    def pid(self) -> int | None:
        """Process id of the server, None when it does not run."""
        return self._client.pid if self._client is not None and self._client.alive else None

    @property
    def stderr(self) -> list[str]:
        """The last lines that the server wrote to its standard error."""
        return list(self._client.stderr) if self._client else []

    def processes(self) -> list[LeanProcess]:
        """The server's processes with their memory."""
        return process.describe(process.family(self.pid)) if self.pid else []

    async def start(self) -> None:
        """Starts the server, unless it runs."""
        self._stopped = False
        await self._running()

    async def stop(self) -> None:
        """Ends the server with all its processes, and every pending call; documents are forgotten."""
        self._stopped = True
        for document in self._documents.values():
            fail(document.calls, _stopped())
        self._documents.clear()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait((self._starting,))
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def open(self, uri: str, text: str) -> int:
        """Opens a document, or brings an open one to `text`; returns its version."""
        return await self.change(uri, text)

    async def change(self, uri: str, text: str) -> int:
        """Brings a document to `text` by one minimal edit and returns its version, which is a new one if it differs.

        A document that is not open is opened. Pending calls about the old text end with `CancelledError`.
        """
        client = await self._running()
        document = self._documents.get(uri)
        if document is None:
            document = self._documents[uri] = _Document(uri, text)
        edit = minimal_edit(document.text, text)
        if edit is not None:
            document.text = text
            document.version += 1
            document.diagnostics = []
            fail(document.calls, CancelledError("The document was edited.", hint="Ask again."))
        if document.home is not client:
            self._open(document, client)
        elif edit is not None:
            start, stop = edit.range.start, edit.range.end
            change = {"range": {"start": _wire(start), "end": _wire(stop)}, "text": edit.new_text}
            client.notify(
                "textDocument/didChange",
                {"textDocument": {"uri": uri, "version": document.version}, "contentChanges": [change]},
            )
        return document.version

    async def close(self, uri: str) -> None:
        """Closes a document, which ends its worker; nothing happens when it is not open."""
        document = self._documents.pop(uri, None)
        if document is not None:
            fail(document.calls, CancelledError("The document was closed.", hint="Ask again."))
            self._shut(document)

    async def wait(self, uri: str, version: int, timeout: float | None = None) -> list[Params]:
        """Waits until this version is elaborated to its end; returns its diagnostics as Lean sent them.

        Raises:
            CancelledError: The document has another version, or gets one during the wait.
        """
        document = self._document(uri)
        if document.version != version:
            raise CancelledError(f"Version {version} of the document is gone.", hint="Ask again.")
        await self._ask(document, "textDocument/waitForDiagnostics", {"uri": uri, "version": version}, timeout)
        return document.diagnostics

    async def plain_goal(self, uri: str, position: Position, timeout: float | None = None) -> list[str] | None:
        """The goals at a position, main first: empty when all are accomplished, None where Lean knows of no goal."""
        result = await self._ask_at("$/lean/plainGoal", uri, position, timeout)
        return None if result is None else list(result["goals"])

    async def plain_term_goal(self, uri: str, position: Position, timeout: float | None = None) -> str | None:
        """The expected type at a position inside a term, in the form of a goal; None where there is none."""
        result = await self._ask_at("$/lean/plainTermGoal", uri, position, timeout)
        return None if result is None else str(result["goal"])

    async def _ask_at(self, method: str, uri: str, position: Position, timeout: float | None) -> Any:
        params = {"textDocument": {"uri": uri}, "position": _wire(position)}
        return await self._ask(self._document(uri), method, params, timeout)

    async def _ask(self, document: _Document, method: str, params: Params, timeout: float | None) -> Any:
        """A request about the present version of a document."""
        version = document.version
        client = await self._running()
        if self._documents.get(document.uri) is not document or document.version != version:
            raise CancelledError("The document was edited.", hint="Ask again.")
        if document.home is not client:
            self._open(document, client)
        try:
            return await client.request(method, params, self.timeout if timeout is None else timeout, document.calls)
        except JsonRpcException as error:
            if error.code in (WORKER_CRASHED, WORKER_EXITED):
                self._shut(document)
                raise _crashed() from error
            if error.code in (CONTENT_MODIFIED, REQUEST_CANCELLED):
                raise CancelledError("The document was edited.", hint="Ask again.") from error
            raise LeanError(f"Lean answered with an error: {error.message}") from error

    def _document(self, uri: str) -> _Document:
        try:
            return self._documents[uri]
        except KeyError:
            raise LeanError(f"The document {uri} is not open.") from None

    def _open(self, document: _Document, client: LeanClient) -> None:
        document.home = client
        document.diagnostics = []
        item = {"uri": document.uri, "languageId": "lean4", "version": document.version, "text": document.text}
        client.notify("textDocument/didOpen", {"textDocument": item})

    def _shut(self, document: _Document) -> None:
        if document.home is not None:
            document.home.notify("textDocument/didClose", {"textDocument": {"uri": document.uri}})
            document.home = None

    async def _running(self) -> LeanClient:
        """The connection to the running server, which is started when there is none."""
        if self._stopped:
            raise _stopped()
        if self._client is not None and self._client.alive:
            return self._client
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(self._started)
        return await asyncio.shield(self._starting)  # other callers may wait for it too

    def _started(self, task: asyncio.Task[LeanClient]) -> None:
        self._starting = None
        if not task.cancelled() and task.exception() is None:
            self._client = task.result()

    async def _start(self) -> LeanClient:
        client = LeanClient(self._notified, (PUBLISH, PROGRESS))
        try:
            await client.spawn(self.command, self.root)
            await client.request("initialize", self._initialize(), self.timeout)
            client.notify("initialized", {})
        except BaseException as error:
            await client.close()
            if isinstance(error, LeanCrashedError):
                last = error.message.partition(": ")[2]
                raise LeanError(
                    f"The command `{' '.join(self.command)}` ended at once" + (f": {last}" if last else "."),
                    hint=f"Run it in {self.root} to see more, or set llmstep.lean.command.",
                ) from error
            if isinstance(error, JsonRpcException):
                raise LeanError(f"The Lean server refused to start: {error.message}") from error
            raise
        return client

    def _initialize(self) -> Params:
        root = self.root.as_uri()
        return {
            "processId": os.getpid(),
            "clientInfo": {"name": "llmstep"},
            "rootUri": root,
            "workspaceFolders": [{"uri": root, "name": self.root.name}],
            "capabilities": {"lean": {"silentDiagnosticSupport": True}},
        }

    def _notified(self, method: str, params: Params) -> None:
        name = params if method == PUBLISH else params["textDocument"]
        document = self._documents.get(name["uri"])
        if document is None or name.get("version") not in (None, document.version):
            return
        if method == PUBLISH:
            document.diagnostics = params["diagnostics"]
        elif any(part.get("kind") == FATAL for part in params["processing"]) and not self._has_worker(document):
            fail(document.calls, _crashed())
            self._shut(document)

    def _has_worker(self, document: _Document) -> bool:
        """A fatal progress also comes for a missing import, with which the worker lives on."""
        return any(member.uri == document.uri for member in self.processes())


def _crashed() -> LeanCrashedError:
    return LeanCrashedError("Lean's worker for this file crashed.", hint="Try again.")


def _stopped() -> CancelledError:
    return CancelledError("The Lean server was stopped.", hint="Ask again.")


def _wire(position: Position) -> dict[str, int]:
    return {"line": position.line, "character": position.character}
