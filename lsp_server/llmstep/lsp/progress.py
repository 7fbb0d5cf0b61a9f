"""The frame of a command's work: progress, cancel, errors and the status while it goes on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.errors import LlmstepError
from llmstep.lsp.known import notify
from llmstep.lsp.protocol import SECONDS_TO_ANSWER
from llmstep.lsp.runs import STOPPED, Run
from llmstep.lsp.session import Session
from llmstep.lsp.status import describe
from llmstep.memory import Document
from llmstep.printable import printable
from llmstep.progress import Progress

SPANS: Final = {
    "goal": (0, 5),
    "download": (5, 40),
    "load": (40, 60),
    "generate": (60, 80),
    "check": (80, 100),
    "search": (60, 100),
}
"""Which part of the bar each stage fills, in percent. Stages that are not needed are jumped over."""


class WorkDone:
    """How far a command's work is, as the client's progress and, of a document's run, in the status."""

    def __init__(
        self, ls: Session, token: types.ProgressToken | None, spans: Mapping[str, tuple[int, int]], *, in_status: bool
    ) -> None:
        self._ls = ls
        self._token = token
        self._spans = spans
        self._in_status = in_status
        self._last: tuple[str, int] = ("", 0)
        self.over = False
        """What a thread says behind the end is not shown."""
        self.outcome = "Stopped"
        """What the progress says at its end."""

    def show(self, progress: Progress) -> None:
        """Show a step, unless it looks like the one before."""
        if self.over:
            return
        if self._in_status:
            self._ls.status.step(progress)
        start, end = self._spans.get(progress.stage, (0, 0))
        share = progress.done / progress.total if progress.total else 0.0
        percentage = max(self._last[1], round(start + (end - start) * share))
        message = describe(progress)
        if self._token is not None and (message, percentage) != self._last:
            self._last = (message, percentage)
            news = types.WorkDoneProgressReport(message=message, percentage=percentage, cancellable=True)
            self._ls.work_done_progress.report(self._token, news)


@asynccontextmanager
async def working(
    ls: Session,
    token: types.ProgressToken | None,
    title: str,
    spans: Mapping[str, tuple[int, int]] = SPANS,
    *,
    run: Run | None = None,
    quiet: bool = False,
) -> AsyncIterator[WorkDone]:
    """The frame of a command's work: a progress that the user may cancel, and an error that the user is shown.

    Args:
        ls: The server.
        token: That of the client's request; None asks the client for a new one, where it can do that.
        title: What is going on.
        spans: Which part of the bar each stage fills, in percent.
        run: The document's run that a cancel ends, and whose steps the status tells; None cancels the current task.
        quiet: Nobody asked for it: no progress, and errors are not shown.
    """
    task, shown = asyncio.current_task(), ls.work_done_progress

    def end() -> None:
        if run is not None:
            run.cancel(STOPPED)
        elif task is not None:
            task.cancel()

    if token is None and not quiet:
        token = await _create(ls)
    if token is not None:
        asked: Future[None] = Future()
        asked.add_done_callback(lambda future: end() if future.cancelled() else None)
        shown.tokens[token] = asked
        shown.begin(token, types.WorkDoneProgressBegin(title=title, cancellable=True, percentage=0))
    progress = WorkDone(ls, token, spans, in_status=run is not None)
    try:
        yield progress
    except LlmstepError as error:
        progress.outcome = error.message
        if not quiet:
            ls.show_error(error)
        raise
    finally:
        progress.over = True
        if run is not None:
            ls.status.step(None)
        if token is not None:
            shown.tokens.pop(token, None)  # another request may have had the same
            shown.end(token, types.WorkDoneProgressEnd(message=printable(progress.outcome)))


@asynccontextmanager
async def running(
    ls: Session, document: Document, token: types.ProgressToken | None, *, quiet: bool = False
) -> AsyncIterator[tuple[Run, WorkDone]]:
    """The frame of a document's run: `working`, and word to the panel when it is over.

    Raises:
        JsonRpcException: An edit, another request or the user ended the work.
    """
    try:
        with ls.runs.begin(document.uri) as run:
            async with working(ls, token, "llmstep", run=run, quiet=quiet) as progress:
                yield run, progress
    finally:
        notify(ls, document.uri)


async def _create(ls: Session) -> types.ProgressToken | None:
    """A new token, where the client can make one."""
    window = ls.client_capabilities.window
    if window is None or not window.work_done_progress:
        return None
    token = str(uuid.uuid4())
    try:
        params = types.WorkDoneProgressCreateParams(token=token)
        await ls.protocol.ask(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params, SECONDS_TO_ANSWER)
    except (JsonRpcException, asyncio.TimeoutError):
        return None
    return token
