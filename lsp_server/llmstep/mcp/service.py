"""Who answers a call: a running companion that has the file's project open, or else this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstep.address import url_of
from llmstep.engine.remote.connection import UNREADABLE, Connection
from llmstep.engine.remote.llmstep import SILENCE, last_line
from llmstep.engine.remote.place import Key, Place
from llmstep.engine.remote.refusals import Passing, StatusError
from llmstep.errors import RequestError
from llmstep.lsp.endpoint import lender
from llmstep.mcp import companion, files
from llmstep.mcp.companion import HOST, Companion
from llmstep.mcp.tools import Call
from llmstep.memory import Memory
from llmstep.progress import ProgressSink
from llmstep.settings import Settings

if TYPE_CHECKING:
    from llmstep.app import App

_log = logging.getLogger(__name__)


class Service:
    """Answers calls of the tools. Belongs to one asyncio loop.

    Args:
        settings: For the work of this process.
        roots: Folders in which files may be read.
        any_settings: Whether a companion answers whatever its settings are; else its model, its engine and its Lean
            must be those of `settings`.
    """

    def __init__(self, settings: Settings, roots: Sequence[Path], *, any_settings: bool) -> None:
        self.settings = settings
        self.roots = tuple(roots)
        self._key = None if any_settings else companion.key_of(settings)
        self._connections: dict[int, Connection] = {}
        """To companions, by their ports."""
        self._own: App | None = None
        self._trusted: tuple[Path, ...] = self.roots
        """Folders whose lakefiles count, whoever owns them."""

    async def call(
        self, name: str, raw: Mapping[str, Any], more_roots: Sequence[Path], progress: ProgressSink
    ) -> dict[str, Any]:
        """What a tool answers (see `tools.Call`) for a file in the roots, or in those that the client has open."""
        wanted = await asyncio.to_thread(Call.of, name, raw, (*self.roots, *more_roots))
        if self.settings.share_model:
            for each in await asyncio.to_thread(companion.running):
                if each.holds(wanted.path) and self._key in (None, each.key):
                    answer = await self._forwarded(each, name, {**raw, "file": str(wanted.path)}, progress)
                    if answer is not None:
                        return answer
        return await wanted.run(await self._app(more_roots), progress)

    async def _forwarded(
        self, companion: Companion, tool: str, arguments: dict[str, Any], progress: ProgressSink
    ) -> dict[str, Any] | None:
        """What a companion answers; None where it does not do the work: it has gone, or the file is none of its own.

        Closing the connection, as a cancelled task does, ends its work.
        """
        place = Place(url_of(HOST, companion.port), Key(companion.token))
        connection = self._connections.get(companion.port)
        if connection is None or connection.place != place:
            connection = self._connections[companion.port] = Connection(place, SILENCE)
        try:
            return dict((await last_line(connection, f"/tools/{tool}", arguments, "result", progress))["result"])
        except (StatusError, Passing, *UNREADABLE) as error:
            _log.info("the companion %d does not answer: %s", companion.pid, error)
            return None

    def has(self, raw: Mapping[str, Any]) -> bool:
        """Whether the file of a call is in the folders that were named at the start."""
        try:
            files.find(str(raw.get("file", "")), self.roots)
        except RequestError:
            return False
        return True

    async def close(self) -> None:
        """Stop what was started."""
        for connection in self._connections.values():
            await connection.close()
        if self._own is not None:
            await self._own.close()

    async def _app(self, more_roots: Sequence[Path]) -> App:
        """That of this process; the model is loaded when it is first asked.

        Another llmstep that has the same model in memory lends it: the companion of another project, for example.
        """
        self._trusted = (*self.roots, *more_roots)
        if self._own is None:
            from llmstep.app import App
            from llmstep.settings_store import SettingsStore

            self._own = App.beside_editor(SettingsStore(self.settings), lambda: self._trusted, lender, Memory())
        return self._own
