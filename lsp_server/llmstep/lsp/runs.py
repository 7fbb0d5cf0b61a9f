"""Work in flight: at most one run a document, ended by what makes its result useless."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmstep.lean.site import Site
    from llmstep.memory import Document

REPLACED = (types.LSPErrorCodes.ServerCancelled, "A newer request replaced this one.")
EDITED = (types.LSPErrorCodes.ContentModified, "The text up to the goal has changed.")
CLOSED = (types.LSPErrorCodes.ServerCancelled, "The file was closed.")
STOPPED = (types.LSPErrorCodes.RequestCancelled, "The work was stopped.")


class Run:
    """The work on one goal; belongs to the task that made it."""

    def __init__(self, document: Document, sites: Sequence[Site]) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RequestError("A run needs a task of its own.")
        self._keys = [(site, site.key(document.text)) for site in sites]
        self.reason: tuple[types.LSPErrorCodes, str] | None = None
        self._task = task

    def cancel(self, reason: tuple[types.LSPErrorCodes, str]) -> None:
        """End the work; the first reason is the one that the client is told."""
        if self.reason is None and not self._task.done():
            self.reason = reason
            self._task.cancel()

    def concerns(self, text: str) -> bool:
        """Whether the places that it works on are still there, unchanged, in a newer text."""
        return all(site.key(text) == key for site, key in self._keys)


class Runs:
    """The runs of all documents."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    @contextmanager
    def begin(self, document: Document, sites: Sequence[Site]) -> Iterator[Run]:
        """Make the current task the run of a document; the one before is cancelled.

        Raises:
            JsonRpcException: The run was cancelled, for a reason other than the client's `$/cancelRequest`.
        """
        uri = document.uri
        self.stop(uri, REPLACED)
        run = self._runs[uri] = Run(document, sites)
        try:
            yield run
        except asyncio.CancelledError:
            if run.reason is None:
                raise
            code, message = run.reason
            raise JsonRpcException(message, code=int(code)) from None
        finally:
            if self._runs.get(uri) is run:
                del self._runs[uri]

    def busy(self, uri: str) -> bool:
        return uri in self._runs

    def edited(self, document: Document) -> None:
        """End the run of a document when the text up to its goal, or what stands there, has changed."""
        run = self._runs.get(document.uri)
        if run is not None and not run.concerns(document.text):
            run.cancel(EDITED)

    def stop(self, uri: str | None = None, reason: tuple[types.LSPErrorCodes, str] = STOPPED) -> int:
        """End the run of one document, or all; the number of those that were in flight."""
        runs = list(self._runs.values()) if uri is None else [run for key, run in self._runs.items() if key == uri]
        for run in runs:
            run.cancel(reason)
        return len(runs)
