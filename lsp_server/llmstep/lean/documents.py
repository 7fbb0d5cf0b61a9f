"""What a Lean server and its client know of one document."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any

import attrs
from lsprotocol.types import Position

from llmstep.errors import CancelledError, LeanCrashedError
from llmstep.lean.client import LeanClient, Params, fail
from llmstep.lean.memory_limit import too_large
from llmstep.lean.text import minimal_edit
from llmstep.settings import BuildImports

_OPENINGS = itertools.count(1)

INFORMATION = 3
FATAL = 2
"""Kind of progress that says: nothing more will come for this part of the document."""


@attrs.define(eq=False)
class Document:
    """A document that is kept in step with a server process."""

    uri: str
    text: str
    version: int = 1
    home: LeanClient | None = None
    """The process in which it is open; None when it must be opened before the next use."""
    diagnostics: list[Params] = attrs.field(factory=list)
    """The last that came for `version`, as Lean sent them."""
    until: int | None = None
    """The first line of which nothing needs to be known; None when all of the text counts."""
    calls: set[asyncio.Future[Any]] = attrs.field(factory=set)
    """Pending requests about `version`."""
    early: asyncio.Future[list[Params]] = attrs.field(init=False, factory=lambda: _future())
    """The diagnostics once all that is wrong with `version` is among them; what linters say may be outstanding."""
    opening: int = 0
    """Number of the last opening, of all documents' openings."""
    line: int = 0
    """First line that Lean is working at."""
    opened: bool = False
    """Lean has finished a version since the document was opened, so that the imports are read."""
    _published: bool = False
    """Diagnostics of `version` came."""
    _quiet: bool = False
    """Lean said that nothing of `version` is being processed."""
    _heard: bool = False
    """Something came from the worker since the document was opened."""

    def open(self, client: LeanClient, build_imports: BuildImports) -> None:
        """Opens it in a server process, under its present version.

        Without `dependencyBuildMode` Lean builds whatever is out of date, at every opening.
        """
        self.home = client
        self.opening = next(_OPENINGS)
        self.opened = self._heard = False
        self._renew()
        item = {"uri": self.uri, "languageId": "lean4", "version": self.version, "text": self.text}
        client.notify("textDocument/didOpen", {"textDocument": item, "dependencyBuildMode": build_imports})

    def edit(self, text: str, until: int | None = None) -> bool:
        """Brings it to `text` by the smallest single edit, which makes a new version; False if nothing changed."""
        edit = minimal_edit(self.text, text)
        if edit is None:
            return False
        self.text = text
        self.version += 1
        self.until = until
        self._renew()
        self.abandon("The document was edited.")
        if self.home is not None:
            place = {"start": wire(edit.range.start), "end": wire(edit.range.end)}
            self.home.notify(
                "textDocument/didChange",
                {
                    "textDocument": {"uri": self.uri, "version": self.version},
                    "contentChanges": [{"range": place, "text": edit.new_text}],
                },
            )
        return True

    def shut(self) -> None:
        """Closes it in its server process, which ends its worker there."""
        if self.home is not None:
            self.home.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})
            self.home = None

    def abandon(self, reason: str) -> None:
        """Ends pending calls because what they ask about is gone."""
        fail(self.calls, CancelledError(reason, hint="Ask again."))

    def published(self, version: int | None, diagnostics: list[Params], *, more: bool) -> None:
        """Lean published diagnostics, with `more` behind those before. Versions but the present do not count."""
        if version in (None, self.version):
            self._heard = True
            self.diagnostics = [*self.diagnostics, *diagnostics] if more else diagnostics
            self._published = True
            self._settle()

    def progressed(self, version: int | None, processing: list[Params]) -> bool:
        """Lean said at which parts it is working; True when it gave the document up."""
        if version not in (None, self.version):
            return False
        fatal = any(part.get("kind") == FATAL for part in processing)
        if not fatal:
            self._heard = True
            lines = [part["range"]["start"]["line"] for part in processing]
            self.line = min(lines, default=self.line)
            self._quiet = self._quiet or all(self.until is not None and line >= self.until for line in lines)
            self._settle()
        return fatal and self._heard  # else it speaks of the worker before

    def crashed(self) -> LeanCrashedError:
        """The worker died: pending calls end, and the next use opens the document anew."""
        error = LeanCrashedError("Lean's worker for this file crashed.", hint="Try again.")
        fail(self.calls, error)
        self.shut()
        return error

    def outgrew(self, limit: int) -> None:
        """The worker was ended because it took more than `limit` bytes."""
        fail(self.calls, too_large(limit))
        self.shut()

    def preparing(self) -> str:
        """What Lake says about the imports while they are read; empty afterwards."""
        if self.opened or not self.diagnostics:
            return ""
        last = self.diagnostics[-1]
        start, end = last["range"]["start"], last["range"]["end"]
        whole = (start["line"], start["character"], end["character"]) == (0, 0, 0) and end["line"] > 0
        at_top = whole and last.get("severity") == INFORMATION
        lines = str(last["message"]).strip().splitlines() if at_top else []
        return lines[-1][:200] if lines else ""

    async def settled_diagnostics(self, whole: Coroutine[Any, Any, list[Params]]) -> list[Params]:
        """The diagnostics of `version` as soon as its steps are in; `whole` is the wait for everything."""
        early, waiting = self.early, asyncio.ensure_future(whole)
        try:
            await asyncio.wait((early, waiting), return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else early.result()
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def _renew(self) -> None:
        """Nothing is known of a new version."""
        self.diagnostics = []
        self._published = self._quiet = False
        self.early = _future()

    def _settle(self) -> None:
        """Wakes those who wait for the diagnostics of all steps, when they are whole.

        Lean's reporter (`reportSnapshots`) takes every finished step with its messages before it says what is still
        being processed. If it had to wait on the way, it has published before and after each step; if not, it
        publishes once, right after it said that nothing is, or nothing but what does not count. So both signs
        together, in either order, mean that all steps are in. What it then does, the index of the whole file, takes
        long in long files. Only while it reads the imports of a new document, which is no step of the text, the signs
        mean nothing.
        """
        if self.opened and self._published and self._quiet and not self.early.done():
            self.early.set_result(self.diagnostics)


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def wire(position: Position) -> dict[str, int]:
    """A position as it is sent."""
    return {"line": position.line, "character": position.character}
