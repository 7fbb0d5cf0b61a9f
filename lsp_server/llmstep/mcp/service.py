"""Who answers a call: a running companion that has the file's project open, or else this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstep.engine.remote.place import Place
from llmstep.errors import RequestError
from llmstep.mcp import companion, files, tools
from llmstep.mcp.forward import AloneError, Forward
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
        self._forward = Forward()
        self._own: App | None = None
        self._trusted: tuple[Path, ...] = self.roots
        """Folders whose lakefiles count, whoever owns them."""

    async def call(
        self, name: str, raw: Mapping[str, Any], more_roots: Sequence[Path], progress: ProgressSink
    ) -> dict[str, Any]:
        """What a tool answers; see `tools.run`.

        Args:
            name: Of the tool.
            raw: Its arguments.
            more_roots: Folders that the client has open.
            progress: Called with each step of the work.
        """
        tool, wanted = tools.placed(name, raw)
        path = await asyncio.to_thread(files.find, wanted.file, (*self.roots, *more_roots))
        if self.settings.share_model:
            for each in await asyncio.to_thread(companion.running):
                if each.holds(path) and self._key in (None, each.key):
                    try:
                        return await self._forward.call(each, name, {**raw, "file": str(path)}, progress)
                    except AloneError as error:
                        _log.info("the companion %d does not answer: %s", each.pid, error)
        return await tools.run(await self._app(more_roots), path, tool, wanted, progress)

    def has(self, raw: Mapping[str, Any]) -> bool:
        """Whether the file of a call is in the folders that were named at the start."""
        try:
            files.find(str(raw.get("file", "")), self.roots)
        except RequestError:
            return False
        return True

    async def close(self) -> None:
        """Stop what was started."""
        await self._forward.close()
        if self._own is not None:
            await self._own.close()

    async def _app(self, more_roots: Sequence[Path]) -> App:
        """That of this process; the model is loaded when it is first asked."""
        self._trusted = (*self.roots, *more_roots)
        if self._own is None:
            from llmstep.app import App
            from llmstep.settings_store import SettingsStore

            self._own = App.beside_editor(SettingsStore(self.settings), lambda: self._trusted, self._lender, Memory())
        return self._own

    async def _lender(self, settings: Settings) -> Place | None:
        """Another llmstep that has the same model in memory: the companion of another project, for example."""
        from llmstep.lsp.endpoint import lender

        return await lender(settings) if settings.share_model else None
