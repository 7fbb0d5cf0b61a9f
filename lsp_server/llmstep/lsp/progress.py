"""The frame of a command's work: progress, cancel, errors and the status while it goes on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, nullcontext
from typing import Final

import attrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.errors import LlmstepError
from llmstep.lsp.known import notify
from llmstep.lsp.runs import STOPPED, Run
from llmstep.lsp.session import Session
from llmstep.lsp.status import Status, describe
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
    """One progress of the client, from begin to end; silent when the client shows none."""

    def __init__(self, ls: Session, token: types.ProgressToken | None, spans: Mapping[str, tuple[int, int]]) -> None:
        self._ls = ls
        self._token = token
        self._spans = spans
        self._last: tuple[str, int] = ("", 0)
        self.outcome = "Stopped"
        """What the progress says at its end."""

    def begin(self, title: str, cancel: Callable[[], object]) -> None:
        """Show it; `cancel` is called when the user cancels it."""
        if self._token is not None:
            asked: Future[None] = Future()
            asked.add_done_callback(lambda future: cancel() if future.cancelled() else None)
            self._ls.work_done_progress.tokens[self._token] = asked
            begun = types.WorkDoneProgressBegin(title=title, cancellable=True, percentage=0)
            self._ls.work_done_progress.begin(self._token, begun)

    def show(self, progress: Progress) -> None:
        """Show a step, unless it looks like the one before."""
        if self._token is None:
            return
        start, end = self._spans.get(progress.stage, (0, 0))
        share = progress.done / progress.total if progress.total else 0.0
        percentage = max(self._last[1], round(start + (end - start) * share))
        message = describe(progress)
        if (message, percentage) != self._last:
            self._last = (message, percentage)
            news = types.WorkDoneProgressReport(message=message, percentage=percentage, cancellable=True)
            self._ls.work_done_progress.report(self._token, news)

    def end(self) -> None:
        """Take the progress away."""
        if self._token is not None:
            self._ls.work_done_progress.tokens.pop(self._token, None)  # another request may have had the same
            self._ls.work_done_progress.end(self._token, types.WorkDoneProgressEnd(message=printable(self.outcome)))
            self._token = None  # what a thread still says is not shown


@asynccontextmanager
async def working(
    ls: Session,
    token: types.ProgressToken | None,
    title: str,
    cancel: Callable[[], object] | None = None,
    spans: Mapping[str, tuple[int, int]] = SPANS,
) -> AsyncIterator[WorkDone]:
    """The frame of a command's work: a progress that the user may cancel, and an error that the user is shown.

    Args:
        ls: The server.
        token: That of the client's request; None asks the client for a new one, where it can do that.
        title: What is going on.
        cancel: Called when the user cancels it; None cancels the current task.
        spans: Which part of the bar each stage fills, in percent.
    """
    task = asyncio.current_task()
    progress = WorkDone(ls, await _create(ls) if token is None else token, spans)
    progress.begin(title, cancel or (task.cancel if task else lambda: None))
    try:
        yield progress
    except LlmstepError as error:
        progress.outcome = error.message
        ls.show_error(error)
        raise
    finally:
        progress.end()


@attrs.define
class Work:
    """A document's run, with what is shown of it."""

    run: Run
    progress: WorkDone
    status: Status
    over: bool = False

    def show(self, step: Progress) -> None:
        """Show a step as progress and in the status; what a thread still says behind the end is not shown."""
        if not self.over:
            self.progress.show(step)
            self.status.step(step)


@asynccontextmanager
async def running(
    ls: Session, document: Document, token: types.ProgressToken | None, *, quiet: bool = False
) -> AsyncIterator[Work]:
    """The frame of a document's run: `working`, and word to the panel when it is over.

    Args:
        quiet: Nobody asked for it: no progress, and errors are not shown.

    Raises:
        JsonRpcException: An edit, another request or the user ended the work.
    """
    try:
        with ls.runs.begin(document.uri) as run:
            silent = nullcontext(WorkDone(ls, None, SPANS))
            async with silent if quiet else working(ls, token, "llmstep", lambda: run.cancel(STOPPED)) as progress:
                work = Work(run, progress, ls.status)
                try:
                    yield work
                finally:
                    work.over = True
                    ls.status.step(None)
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
        await ls.protocol.ask(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params, timeout=5)
    except (JsonRpcException, asyncio.TimeoutError):
        return None
    return token
