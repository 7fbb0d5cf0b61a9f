"""A Lean server for one project: documents kept in step, diagnostics of exactly one version, goals at a position."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsprotocol.types import Position
from pygls.exceptions import JsonRpcException

from llmstep.errors import CancelledError, LeanError
from llmstep.lean import process, protocol
from llmstep.lean.client import LeanClient, Params, spawn
from llmstep.lean.documents import Document, wire
from llmstep.lean.memory_limit import watch
from llmstep.lean.process import LeanProcess
from llmstep.lean.starting import begin, still_starting
from llmstep.progress import Progress, ProgressSink
from llmstep.settings import LeanSettings

PUBLISH = "textDocument/publishDiagnostics"
PROGRESS = "$/lean/fileProgress"
TELL_SECONDS = 5.0
"""How often a start that says nothing new is told of."""


class LeanServer:
    """One Lean server, started on first use and again after it died. To be used from one event loop.

    Every method may raise `LeanNotFoundError` or `LeanError` (the server cannot be started), `LeanCrashedError` (it, or
    the worker of the document, died during the call; the next call starts a new one), `LeanTimeoutError`, and
    `CancelledError` (the document was edited or closed, or the server stopped, during the call).

    Args:
        command: Argument vector of the server, see `llmstep.lean.project.server_command`.
        root: Folder it runs in.
        timeout: Longest wait in seconds for each request that names no other.
        lean: How long it may take to start, whether it builds imports, and what else it sees of the environment.
        memory_bytes: Most private memory of one of its processes.
    """

    def __init__(
        self,
        command: Sequence[str],
        root: Path,
        *,
        timeout: float,
        lean: LeanSettings | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        self.command = tuple(command)
        self.root = root
        self.timeout = timeout
        self.lean = lean or LeanSettings()
        self.memory_bytes = memory_bytes
        self.listeners: list[ProgressSink] = []
        """Called with what Lean says while it starts, or prepares the imports of a document."""
        self._last_words = ""
        self._watch: asyncio.Task[None] | None = None
        self._client: LeanClient | None = None
        self._starting: asyncio.Task[LeanClient] | None = None
        self._stopped = False
        self._documents: dict[str, Document] = {}

    @property
    def alive(self) -> bool:
        """Whether the process runs and has been initialized."""
        return self._client is not None and self._client.alive

    @property
    def pid(self) -> int | None:
        """Process id of the server, None when it does not run."""
        return self._client.pid if self._client is not None and self._client.alive else None

    @property
    def is_starting(self) -> bool:
        """Whether the process runs and is not ready yet."""
        return self._starting is not None and not self._starting.done()

    @property
    def stderr(self) -> list[str]:
        """The last lines (at most 50) that the server wrote to its standard error."""
        return list(self._client.stderr) if self._client else []

    def processes(self) -> list[LeanProcess]:
        """The server's processes with their memory."""
        return process.describe(self._client.members()) if self._client is not None and self._client.alive else []

    def worker(self, uri: str) -> int | None:
        """Process id of the worker of a document."""
        return next((member.pid for member in self.processes() if member.uri == uri), None)

    def opening(self, uri: str) -> int | None:
        """Tells the openings of a document from one another; None when it is not open."""
        document = self._documents.get(uri)
        return document.opening if document is not None and document.home is not None else None

    def reached(self, uri: str) -> tuple[int, int] | None:
        """The version of a document and the line that Lean has come to in it; None when it is not open."""
        document = self._documents.get(uri)
        return None if document is None else (document.version, document.line)

    async def restart(self) -> None:
        """Stops the server and starts another one."""
        await self.stop()
        await self.start()

    async def start(self) -> None:
        """Starts the server, unless it runs."""
        self._stopped = False
        await self._running()

    async def stop(self) -> None:
        """Ends the server with all its processes, and every pending call. Documents are forgotten.

        Until the next `start`, calls end with `CancelledError`, so that none starts the server again by accident.
        """
        self._stopped = True
        for document in self._documents.values():
            document.abandon("The Lean server was stopped.")
        self._documents.clear()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait((self._starting,))
        if self._watch is not None:
            self._watch.cancel()
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def change(self, uri: str, text: str, until: int | None = None) -> int:
        """Brings a document to `text` by one minimal edit; returns its version, a new one if the text differs.

        A document that is not open is opened. Pending calls about the old text end with `CancelledError`.

        Args:
            until: The first line of which `settled` need not know anything; None when all of the text counts.
        """
        client = await self._running()
        document = self._documents.setdefault(uri, Document(uri, text, until=until))
        if document.home is not client:
            document.home = None
        document.edit(text, until)
        if document.home is None:
            document.open(client, self.lean.build_imports)
        return document.version

    async def close(self, uri: str) -> None:
        """Closes a document, which ends its worker; nothing happens when it is not open."""
        document = self._documents.pop(uri, None)
        if document is not None:
            document.abandon("The document was closed.")
            document.shut()

    async def wait(self, uri: str, version: int, timeout: float | None = None) -> list[Params]:
        """Waits until Lean has finished with this version; returns its diagnostics as Lean sent them.

        Raises:
            CancelledError: The document has another version, or gets one during the wait.
        """
        document = self._document(uri)
        self._check_present(document, version)
        await self._ask(document, "textDocument/waitForDiagnostics", {"uri": uri, "version": version}, timeout)
        document.opened = True
        return document.diagnostics

    async def settled(self, uri: str, version: int, timeout: float | None = None) -> list[Params]:
        """Like `wait`, but if it can before Lean makes its index, and before what stands from `until` on is known."""
        return await self._document(uri).settled_diagnostics(self.wait(uri, version, timeout))

    async def plain_goal(self, uri: str, position: Position, timeout: float | None = None) -> list[str] | None:
        """The goals at a position, main first: empty when all are accomplished, None where Lean knows of no goal.

        They are those of the version at the time of the call; an edit ends the call.
        """
        result = await self.ask(uri, "$/lean/plainGoal", timeout, position=wire(position))
        return None if result is None else list(result["goals"])

    async def ask(self, uri: str, method: str, timeout: float | None = None, **params: Any) -> Any:
        """The result of a request about the present version of a document; an edit ends the call."""
        return await self._ask(self._document(uri), method, {"textDocument": {"uri": uri}, **params}, timeout)

    async def _ask(self, document: Document, method: str, params: Params, timeout: float | None) -> Any:
        """A request about the present version of a document."""
        version = document.version
        loop = asyncio.get_running_loop()
        limit = self.timeout if timeout is None else timeout
        deadline = loop.time() + limit
        while True:
            client = await self._running()
            self._check_present(document, version)
            if document.home is not client:
                document.open(client, self.lean.build_imports)
            try:
                result = await client.request(method, params, deadline - loop.time(), document.calls, limit=limit)
                self._check_present(document, version)  # another task may have run since the answer came
                return result
            except JsonRpcException as error:
                if error.code in (protocol.WORKER_CRASHED, protocol.WORKER_EXITED):
                    raise document.crashed() from error
                if error.code == protocol.REQUEST_CANCELLED:
                    raise CancelledError("Lean cancelled the request.", hint="Ask again.") from error
                if error.code != protocol.CONTENT_MODIFIED:
                    raise LeanError(f"Lean answered with an error: {error.message}") from error
            await asyncio.sleep(0.05)  # an edit of the imports made Lean start the worker again

    def _check_present(self, document: Document, version: int) -> None:
        if self._documents.get(document.uri) is not document or document.version != version:
            raise CancelledError("The document was edited.", hint="Ask again.")

    def _document(self, uri: str) -> Document:
        try:
            return self._documents[uri]
        except KeyError:
            raise LeanError(f"The document {uri} is not open.") from None

    async def _running(self) -> LeanClient:
        """The connection to the running server, which is started when there is none."""
        if self._stopped:
            raise CancelledError("The Lean server was stopped.", hint="Ask again.")
        if self._client is not None and self._client.alive:
            return self._client
        if self._starting is None or self._starting.done():
            self._last_words = ""
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())
        elif self._last_words:
            self._tell_start()
        starting, seconds, clock = self._starting, self.lean.start_minutes * 60, asyncio.get_running_loop().time
        began = clock()
        while not starting.done():  # others may wait too, and the start outlives every wait
            waited = clock() - began
            if waited >= seconds:
                raise still_starting(seconds, self._last_words, f"run `{self.command[0]}` in {self.root}")
            if waited >= TELL_SECONDS:
                self._tell_start(f", {waited:.0f} s")
            await asyncio.wait((starting,), timeout=min(seconds - waited, TELL_SECONDS))
        return starting.result()

    async def _start(self) -> LeanClient:
        if self._client is not None:
            await self._client.gone()  # else two families share the memory
        mark = uuid.uuid4().hex
        child = await spawn(self.command, self.root, mark, self.lean.environment)
        client = LeanClient(child, mark, self._notified, self._said)
        try:
            await begin(client, self.command, self.root)
        except BaseException:
            client.kill()
            await client.gone()
            raise
        self._client = client
        if self.memory_bytes is not None:
            self._watch = asyncio.create_task(watch(client, self.memory_bytes, self._grown))
        return client

    def _grown(self, uri: str) -> None:
        """A worker was ended because of its size."""
        document = self._documents.get(uri)
        if document is not None:
            document.outgrew(self.memory_bytes or 0)

    def _said(self, line: str) -> None:
        """Lean, Lake or elan wrote to the standard error."""
        if self.is_starting:
            self._last_words = line[:200]
            self._tell_start()

    def _tell_start(self, waited: str = "") -> None:
        self._progress(Progress("goal", f"Starting Lean{waited}: {self._last_words or 'it says nothing yet'}"))

    def _progress(self, update: Progress) -> None:
        for progress in tuple(self.listeners):
            progress(update)

    def _notified(self, method: str, params: Params) -> None:
        if method not in (PUBLISH, PROGRESS):
            return
        name = params if method == PUBLISH else params["textDocument"]
        document = self._documents.get(name["uri"])
        if document is None:
            return
        if method == PUBLISH:
            document.published(name.get("version"), params["diagnostics"], more=params.get("isIncremental", False))
            if words := document.preparing():
                self._progress(Progress("goal", f"Lean prepares the imports: {words}"))
        elif document.progressed(name.get("version"), params["processing"]) and self.worker(document.uri) is None:
            document.crashed()  # Lean also gives a document up for a missing import, with which its worker lives on
