"""The language server: state, start and end, and the one place where handlers are registered."""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from llmstep import __version__
from llmstep.errors import LlmstepError
from llmstep.lsp import (
    choose,
    code_actions,
    commands,
    download,
    idle,
    imports,
    inlay_hints,
    inline_completion,
    messages,
    prove,
    suggest,
)
from llmstep.lsp.log import ClientLog
from llmstep.lsp.protocol import LlmstepProtocol
from llmstep.lsp.runs import CLOSED, Runs
from llmstep.lsp.settings import SettingsSync
from llmstep.lsp.status import Status
from llmstep.memory import Memory
from llmstep.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from llmstep.assistant import Assistant
    from llmstep.engine.switching import SwitchingEngine
    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.lsp.documents import Documents
    from llmstep.lsp.endpoint import Endpoint

_SECONDS_TO_CLOSE = 3.0
"""For each part; a model that is being read cannot be interrupted, and editors do not wait long."""

_log = logging.getLogger(__name__)


class LlmstepServer(LanguageServer):
    """One editor's companion. Engine, Lean and HTTP come after `initialized`; see `ready`."""

    protocol: LlmstepProtocol

    def __init__(self) -> None:
        super().__init__("llmstep", __version__, protocol_cls=LlmstepProtocol, converter_factory=default_converter)
        self.settings = Settings()
        self.memory = Memory()
        self.runs = Runs()
        self.sync = SettingsSync(self)
        self.status = Status(self)
        self.idle = idle.Idle(self)
        self.engine: SwitchingEngine | None = None
        self.lean: LeanWorkspace | None = None
        self.endpoint: Endpoint | None = None
        self.left = asyncio.Event()
        self.exit_status = 1
        self._assistant: asyncio.Future[Assistant] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: asyncio.Task[None] | None = None
        _register(self)

    @property
    def documents(self) -> Documents:
        return self.protocol.documents

    # --- start

    async def start(self) -> None:
        """Everything that the answer to `initialize` need not wait for."""
        loop = asyncio.get_running_loop()
        self._assistant = loop.create_future()
        logging.getLogger("llmstep").addHandler(ClientLog(self, loop))
        await self.sync.pull()
        try:
            assistant = await self._assemble()
        except Exception as error:
            _log.exception("llmstep could not start")
            self._assistant.set_exception(
                LlmstepError(f"llmstep could not start: {error}", hint="Run `llmstep doctor`.")
            )
            self._assistant.exception()  # taken: whoever asks gets it, nobody else has to hear of it
            return
        self._assistant.set_result(assistant)
        self.spawn(self.sync.subscribe())
        self.spawn(imports.watch(self))
        assistant.engine.watch(self.status.send)
        self.status.send()

    async def _assemble(self) -> Assistant:
        # In a thread, because the loop has answers to give meanwhile.
        for module in ("llmstep.engine.switching", "llmstep.lean.workspace"):
            await asyncio.to_thread(importlib.import_module, module)
        from llmstep.assistant import Assistant
        from llmstep.engine.switching import SwitchingEngine
        from llmstep.lean.workspace import LeanWorkspace
        from llmstep.lsp.endpoint import Endpoint
        from llmstep.lsp.sharing import Sharing

        sharing = Sharing()
        self.engine = SwitchingEngine(self.settings, sharing.neighbour, in_the_meantime=True)
        self.lean = LeanWorkspace(self.settings, lambda: imports.folders(self))
        assistant = Assistant(self.settings, self.engine, self.lean, self.memory)
        self.endpoint = sharing.endpoint = Endpoint(self.engine, self.settings, assistant.premises)
        self.endpoint.start()
        return assistant

    async def ready(self) -> Assistant:
        """The assistant, once it exists.

        Raises:
            LlmstepError: It could not be made, or the client has not sent `initialized`.
        """
        if self._assistant is None:
            raise LlmstepError("llmstep has not been told that the client is ready.", hint="Send `initialized` first.")
        return await asyncio.shield(self._assistant)

    def configure(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self.settings = settings
        started = self._assistant
        if started is None or not started.done() or started.exception() is not None:
            return
        started.result().configure(settings)
        if self.endpoint is not None:
            self.spawn(self.endpoint.configure(settings, started.result().premises))
        self.status.send()
        inlay_hints.refresh(self)

    # --- end

    def leave(self, status: int) -> None:
        """The client has left, or the process was told to end; the first call counts."""
        if not self.left.is_set():
            self.exit_status = status
            self.left.set()

    def begin_closing(self) -> None:
        """Stop all work now, and begin to stop what was started."""
        self.idle.stop()
        self.runs.stop()
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="llmstep-close")

    async def close(self) -> None:
        """Stop everything that was started; a second call waits for the first."""
        self.begin_closing()
        if self._closing is not None:
            await self._closing

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        parts: list[Awaitable[None]] = []
        if self.endpoint is not None:
            parts.append(self.endpoint.stop())
        if self.lean is not None:
            parts.append(self.lean.close())
        if self.engine is not None:
            parts.append(self.engine.close())
        results = await asyncio.gather(
            *(asyncio.wait_for(part, _SECONDS_TO_CLOSE) for part in parts), return_exceptions=True
        )
        for result in results:
            if isinstance(result, Exception):
                _log.warning("while stopping: %r", result)

    # --- helpers of the handlers

    def spawn(self, work: Any) -> None:
        """Run a coroutine beside the handlers, until it ends or the server closes."""
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("llmstep: unexpected error", exc_info=error)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """What went wrong in a handler or on the wire is no business of the user's; it goes into the log."""
        _log.error("llmstep: %s: %s", type(error).__name__, error)

    def show_error(self, error: LlmstepError) -> None:
        """Tell the user in a message, and the log."""
        _log.warning("%s", error)
        messages.show(self, error)


# --- handlers


def initialize(ls: LlmstepServer, params: types.InitializeParams) -> None:
    set_trace(ls, types.SetTraceParams(params.trace or types.TraceValue.Off))
    error = ls.sync.initialize(params.initialization_options)
    if error is not None:
        ls.show_error(error)  # the protocol allows messages before the answer


def set_trace(ls: LlmstepServer, params: types.SetTraceParams) -> None:
    """`$/setTrace`: with anything but `off` the client gets the details of the log as `$/logTrace`."""
    ls.protocol.trace = types.TraceValue(params.value)
    logging.getLogger("llmstep").setLevel(logging.INFO if ls.protocol.trace is types.TraceValue.Off else logging.DEBUG)


async def initialized(ls: LlmstepServer, _: types.InitializedParams) -> None:
    await ls.start()


def did_open(ls: LlmstepServer, params: types.DidOpenTextDocumentParams) -> None:
    ls.memory.forget(params.text_document.uri)


def did_change(ls: LlmstepServer, params: types.DidChangeTextDocumentParams) -> None:
    """An edit ends the work that it makes useless, at once, and takes stale suggestions away."""
    document = ls.documents.find(params.text_document.uri)
    if document is None:
        return
    ls.runs.edited(document)
    ls.memory.edited(document)
    position = idle.end_of_change(document, params.content_changes)
    if position is not None:
        ls.idle.touch(document, position)


def did_close(ls: LlmstepServer, params: types.DidCloseTextDocumentParams) -> None:
    ls.runs.stop(params.text_document.uri, CLOSED)
    ls.memory.forget(params.text_document.uri)


def did_change_configuration(ls: LlmstepServer, params: types.DidChangeConfigurationParams) -> None:
    ls.sync.changed(params.settings)


def _register(ls: LlmstepServer) -> None:
    ls.feature(types.INITIALIZE)(initialize)
    ls.feature(types.INITIALIZED)(initialized)
    ls.feature(types.SET_TRACE)(set_trace)
    ls.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    ls.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    ls.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
    ls.feature(types.TEXT_DOCUMENT_DID_SAVE)(imports.did_save)
    ls.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(imports.did_change_watched_files)
    ls.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    ls.feature(types.TEXT_DOCUMENT_CODE_ACTION, code_actions.OPTIONS)(code_actions.code_actions)
    ls.feature(types.TEXT_DOCUMENT_INLAY_HINT)(inlay_hints.inlay_hints)
    ls.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, inline_completion.OPTIONS)(inline_completion.inline_completion)
    ls.command(code_actions.SUGGEST)(suggest.suggest)
    ls.command(code_actions.PROVE)(prove.prove)
    ls.command(prove.FILL_SORRIES)(prove.fill_sorries)
    ls.command(choose.CHOOSE)(choose.choose)
    ls.command(choose.ACCEPT)(choose.accept)
    ls.command(download.DOWNLOAD_MODEL)(download.download_model)
    ls.command(commands.STATUS)(commands.status)
    ls.command(commands.MODELS)(commands.models)
    ls.command(commands.SELECT_MODEL)(commands.select_model)
    ls.command(commands.STOP)(commands.stop)
    ls.command(imports.BUILD_IMPORTS)(imports.build_imports)
    ls.command(commands.RESTART_LEAN)(commands.restart_lean)
