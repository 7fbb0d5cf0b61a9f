"""`llmstep lsp` with a watch on its event loop: the command `watch.loop` tells of the time since it was asked last, and
`watch.text` the text of a document, `{uri}`.

    python tests/soak/watched.py

In milliseconds: `delay`, how much too late the loop came at most; `work`, the longest processor time of one callback of
it; `collection`, the longest garbage collection. And `callback`, which one that was.
"""

from __future__ import annotations

import asyncio
import asyncio.events
import gc
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstep.cli.lsp import configure
from llmstep.lsp.session import Session
from llmstep.lsp.setup import register
from llmstep.lsp.transport import end_process, run_stdio

if TYPE_CHECKING:
    from lsprotocol import types

STEP = 0.002
"""Seconds between two looks."""


class Watch:
    """The longest delay of the loop, and its longest callback."""

    def __init__(self) -> None:
        self.delay = self.work = self.wall = 0.0
        self.callback = ""
        self.stack = ""
        self.collection = self._collecting = 0.0
        self._since = 0.0
        self._longest = 0.0
        self._loop = threading.get_ident()
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        """Where the longest callback is, seen from another thread."""
        while True:
            time.sleep(STEP)
            since = self._since
            if since and time.perf_counter() - since > max(self._longest, 0.01):
                self._longest = time.perf_counter() - since
                frames = traceback.extract_stack(sys._current_frames()[self._loop])
                self.stack = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames[-8:]))

    async def look(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(STEP)
            self.delay = max(self.delay, time.perf_counter() - before - STEP)

    def install(self) -> None:
        run = asyncio.events.Handle._run

        def timed(handle: asyncio.events.Handle) -> None:
            if threading.get_ident() != self._loop:
                run(handle)
                return
            before, wall = time.thread_time(), time.perf_counter()
            self._since = wall
            run(handle)
            self._since = 0.0
            work = time.thread_time() - before
            if work > self.work:
                self.work, self.wall = work, time.perf_counter() - wall
                self.callback = repr(handle)[:400]

        asyncio.events.Handle._run = timed  # type: ignore[method-assign]
        gc.callbacks.append(self._collected)

    def _collected(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            self.collection = max(self.collection, time.perf_counter() - self._collecting)

    def report(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "collection": self.collection * 1000,
            "delay": self.delay * 1000,
            "work": self.work * 1000,
            "callback": self.stack or self.callback,
        }
        self.delay = self.work = self._longest = self.collection = 0.0
        self.stack = ""
        return told


class Watched(Session):
    """The server with that command."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = Watch()

        def tell(_: types.ExecuteCommandParams) -> dict[str, Any]:
            return self.watch.report()

        def text(params: types.ExecuteCommandParams) -> str:
            assert params.arguments
            return self.documents.snapshot(params.arguments[0]["uri"]).text

        self.command("watch.loop")(tell)
        self.command("watch.text")(text)

    def start(self) -> None:
        self.spawn(self.watch.look())
        super().start()


if __name__ == "__main__":
    configure()
    server = Watched()
    register(server)
    server.watch.install()
    end_process(run_stdio(server))
