"""Work-done progress: what the editor shows while a suggestion is made."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.lsp.status import describe
from llmstep.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

    from llmstep.lsp.session import Session
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

    def __init__(
        self, ls: Session, token: types.ProgressToken | None, spans: Mapping[str, tuple[int, int]] = SPANS
    ) -> None:
        self._ls = ls
        self._token = token
        self._spans = spans
        self._last: tuple[str, int] = ("", 0)

    @classmethod
    async def begin(
        cls,
        ls: Session,
        token: types.ProgressToken | None,
        title: str,
        cancel: Callable[[], object],
        spans: Mapping[str, tuple[int, int]] = SPANS,
    ) -> Self:
        """Show a progress.

        Args:
            ls: The server.
            token: That of the client's request; None asks the client for a new one, where it can do that.
            title: What is going on.
            cancel: Called when the user cancels it.
            spans: Which part of the bar each stage fills, in percent.
        """
        if token is None:
            token = await _create(ls)
        if token is not None:
            asked: Future[None] = Future()
            asked.add_done_callback(lambda future: cancel() if future.cancelled() else None)
            ls.work_done_progress.tokens[token] = asked
            ls.work_done_progress.begin(token, types.WorkDoneProgressBegin(title=title, cancellable=True, percentage=0))
        return cls(ls, token, spans)

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

    def end(self, message: str) -> None:
        """Take the progress away; a second call does nothing."""
        if self._token is not None:
            self._ls.work_done_progress.tokens.pop(self._token, None)  # another request may have had the same
            self._ls.work_done_progress.end(self._token, types.WorkDoneProgressEnd(message=printable(message)))
        self._token = None


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
