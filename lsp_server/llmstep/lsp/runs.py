"""Work in flight: at most one run a document, ended by what makes its result useless."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.lean.insertion_points import InsertionPoint
from llmstep.memory import Edit

REPLACED = (types.LSPErrorCodes.ServerCancelled, "A newer request replaced this one.")
EDITED = (types.LSPErrorCodes.ContentModified, "The text up to the goal has changed.")
CLOSED = (types.LSPErrorCodes.ServerCancelled, "The file was closed.")
STOPPED = (types.LSPErrorCodes.RequestCancelled, "The work was stopped.")


class Run:
    """The work on one goal; belongs to the task that made it."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._points: Sequence[InsertionPoint] | None = None
        self._edits: list[Edit] = []
        self.reason: tuple[types.LSPErrorCodes, str] | None = None

    def cancel(self, reason: tuple[types.LSPErrorCodes, str]) -> None:
        """End the work; the first reason is the one that the client gets."""
        if self.reason is None and self._task is not None and not self._task.done():
            self.reason = reason
            self._task.cancel()

    def works_at(self, points: Sequence[InsertionPoint]) -> None:
        """What it works on, in the text that it began with; edits made since then count."""
        self._points = points
        edits, self._edits = self._edits, []
        for edit in edits:
            self.edited(edit)

    def edited(self, edit: Edit) -> None:
        """End the work when its places are no longer there, unchanged, in the new text."""
        if self._points is None:
            self._edits.append(edit)
        elif not all(edit.leaves(point) for point in self._points):
            self.cancel(EDITED)


class Runs:
    """The runs of all documents."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    @contextmanager
    def begin(self, uri: str) -> Iterator[Run]:
        """Make the current task the run of a document; the one before is cancelled.

        Raises:
            JsonRpcException: The run was cancelled, for a reason other than the client's `$/cancelRequest`.
        """
        self.stop(uri, REPLACED)
        run = self._runs[uri] = Run()
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

    def busy(self, uri: str | None = None) -> bool:
        """Whether there is a run, of one document or of any."""
        return bool(self._runs) if uri is None else uri in self._runs

    def edited(self, uri: str, edit: Edit) -> None:
        """End the run of a document when the text up to its goal, or what stands there, has changed."""
        if run := self._runs.get(uri):
            run.edited(edit)

    def stop(self, uri: str | None = None, reason: tuple[types.LSPErrorCodes, str] = STOPPED) -> int:
        """End the run of one document, or all; the number of those that were in flight."""
        runs = [run for key, run in self._runs.items() if uri in (None, key)]
        for run in runs:
            run.cancel(reason)
        return len(runs)
