"""What the features of one editor's companion share, and its start and end."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter
from pygls.uris import to_fs_path

from llmstep import __version__
from llmstep.errors import LlmstepError
from llmstep.lsp import messages
from llmstep.lsp.documents import Documents, NewText
from llmstep.lsp.places import Places
from llmstep.lsp.protocol import LlmstepProtocol
from llmstep.lsp.runs import Runs
from llmstep.lsp.settings import SettingsSync
from llmstep.lsp.status import Status
from llmstep.lsp.upkeep import collect_in_pauses
from llmstep.memory import Document, Memory
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore

if TYPE_CHECKING:
    from llmstep.app import App
    from llmstep.engine.remote.place import Place
    from llmstep.lsp.endpoint import Endpoint
    from llmstep.mcp.companion import Offer

_SECONDS_TO_CLOSE = 3.0
"""For each part; a model that is being read cannot be interrupted, and editors do not wait long."""

_log = logging.getLogger(__name__)


class Session(LanguageServer):
    """One editor's companion. Model, Lean and HTTP come after `initialized`; see `ready`."""

    protocol: LlmstepProtocol

    def __init__(self) -> None:
        super().__init__("llmstep", __version__, protocol_cls=LlmstepProtocol, converter_factory=default_converter)
        self.store = SettingsStore()
        self.memory = Memory()
        self.runs = Runs()
        self.places = Places(self.memory, lambda: self.documents)
        self.sync = SettingsSync(self.store, self.protocol, self.show_error)
        self.status = Status(lambda: self.settings, self.protocol.notify)
        self.on_rest: Callable[[Document, types.Position], object] = lambda *_: None
        """Called with the document as it was, and the place, when the user has rested there (`trigger = "onIdle"`)."""
        self.ghost: tuple[str, str] | None = None
        """Document and goal whose step was last given as ghost text."""
        self.app: App | None = None
        self.endpoint: Endpoint | None = None
        self.offer: Offer | None = None
        self.left = asyncio.Event()
        self.exit_status = 1
        self._starting: asyncio.Task[App] | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: asyncio.Task[None] | None = None

    @property
    def settings(self) -> Settings:
        return self.store.current

    @property
    def documents(self) -> Documents:
        return self.protocol.documents

    # --- start

    def start(self) -> None:
        """Begin with everything that the answer to `initialize` need not wait for; a second call does nothing."""
        if self._starting is None:
            loop = asyncio.get_running_loop()
            logging.getLogger("llmstep").addHandler(messages.ClientLog(self, loop))
            self.spawn(collect_in_pauses(lambda: self.protocol.last_message, self.runs.busy))
            self._starting = loop.create_task(self._start())
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())  # `ready` tells it

    async def _start(self) -> App:
        await self.sync.pull()
        try:
            app = await self._assemble()
        except Exception as error:
            _log.exception("llmstep could not start")
            raise LlmstepError(f"llmstep could not start: {error}", hint="Run `llmstep doctor`.") from None
        self.spawn(self.sync.subscribe())
        self.status.follow(app.engine)
        return app

    async def _assemble(self) -> App:
        # In a thread, because the loop has answers to give meanwhile.
        await asyncio.to_thread(importlib.import_module, "llmstep.app")
        from llmstep.app import App
        from llmstep.lsp.endpoint import Endpoint
        from llmstep.mcp.companion import Offer

        async def neighbour(settings: Settings) -> Place | None:
            return None if self.endpoint is None else await self.endpoint.neighbour(settings)

        self.app = App.beside_editor(self.store, self.folders, neighbour, self.memory)
        self.endpoint = Endpoint(self.app)
        self.endpoint.follow()
        self.store.subscribe(lambda settings: settings, self._show_changes)
        self.offer = Offer(self.app, self.folders)
        self.offer.refresh()
        return self.app

    async def ready(self) -> App:
        """The application, once it exists.

        Raises:
            LlmstepError: It could not be made, or the client has not sent `initialized`.
        """
        if self._starting is None:
            raise LlmstepError("The client has not said that it is ready.", hint="Send `initialized` first.")
        return await asyncio.shield(self._starting)

    def _show_changes(self, *_: object) -> None:
        if self.app is not None:
            self.status.send()
            self.refresh_hints()
            self.refresh_lenses()

    def edited(self, new: NewText) -> None:
        """An edit ends the work that it makes useless, at once, and takes stale suggestions away."""
        uri = new.item.uri
        self.runs.edited(uri, new.edit)
        self.memory.edited(uri, new.edit)
        document = self.documents.find(uri)
        if document is not None and new.at is not None:
            self.touch(document, new.at)

    def touch(self, document: Document, position: types.Position) -> None:
        """The user is here now: the protocol has no cursor, but edits, and questions for code actions where it is."""
        if self._rest is not None:
            self._rest.cancel()
        if self.settings.trigger == "onIdle":
            delay = self.settings.idle_delay_ms / 1000
            self._rest = asyncio.get_running_loop().call_later(delay, self.on_rest, document, position)

    def stop_work(self) -> int:
        """End all runs, and forget where the user was; the number of runs."""
        if self._rest is not None:
            self._rest.cancel()
        return self.runs.stop()

    # --- end

    def leave(self, status: int) -> None:
        """The client has left, or the process was asked to end; the first call counts."""
        if not self.left.is_set():
            self.exit_status = status
            self.left.set()

    def begin_closing(self) -> None:
        """Stop all work now, and begin to stop what was started."""
        self.stop_work()
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
        if self._starting is not None:
            self._starting.cancel()
        parts: list[Awaitable[None]] = [part.stop() for part in (self.endpoint, self.offer) if part is not None]
        if self.app is not None:
            parts += [self.app.lean.close(), self.app.engine.close()]
        results = await asyncio.gather(
            *(asyncio.wait_for(part, _SECONDS_TO_CLOSE) for part in parts), return_exceptions=True
        )
        for result in results:
            if isinstance(result, Exception):
                _log.warning("while stopping: %r", result)

    # --- helpers of the features

    def folders(self) -> list[Path]:
        """The folders that the user has opened."""
        documents = self.documents
        uris = [*documents.folders, *([documents.root_uri] if documents.root_uri else [])]
        return [path for uri in uris if (path := path_of(uri))]

    def refresh_hints(self) -> None:
        """Have the client ask for the inlay hints again, where it can do that."""
        workspace = self.client_capabilities.workspace
        if workspace and workspace.inlay_hint and workspace.inlay_hint.refresh_support:
            self.workspace_inlay_hint_refresh(None)

    def refresh_lenses(self) -> None:
        """The same for the code lenses."""
        workspace = self.client_capabilities.workspace
        if workspace and workspace.code_lens and workspace.code_lens.refresh_support:
            self.workspace_code_lens_refresh(None)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside the handlers, until it ends or the server closes."""
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("llmstep: unexpected error", exc_info=error)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """What went wrong in a handler or on the wire goes into the log; the user is not shown it."""
        _log.error("llmstep: %s: %s", type(error).__name__, error)

    def show_error(self, error: LlmstepError) -> None:
        """Tell the user in a message, and the log."""
        _log.warning("%s", error)
        messages.show(self, error)


def path_of(uri: str | None) -> Path | None:
    """The file or folder at an address; None for an address of another kind."""
    try:
        path = to_fs_path(uri) if uri else None
    except ValueError:
        return None
    return Path(path) if path else None
