"""The server that hypothesis plays at, and the loop on which its client lives."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from pygls.exceptions import JsonRpcException

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lsp"))

from client import Editor, Page

if TYPE_CHECKING:
    from collections.abc import Coroutine

ALLOWED = {-32600, -32602, -32803, -32802, -32801, -32800}
SECONDS = float(os.environ.get("LLMSTEP_SOAK_SECONDS", "90"))


class World:
    """One server for all runs of the machine, and the loop on which its client lives."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.folder, self.options = folder, options
        self.editor = Editor(configuration=options)
        self.pages: dict[int, Page] = {}
        self.flights: dict[asyncio.Future[Any], Any] = {}
        self.outcomes: Counter[str] = Counter()
        self.steps = self.requests = self.cancelled = self.compared = 0
        self.run(self._start())
        self.run(self.editor.execute("llmstep.status"))
        assert self.editor.process is not None
        self.process = psutil.Process(self.editor.process.pid)

    async def _start(self) -> None:
        """At a server that tells its texts (watched.py)."""
        watched = str(Path(__file__).with_name("watched.py"))
        await self.editor.client.start_io(sys.executable, watched, cwd=self.folder)
        self.editor.adopt()
        await self.editor.introduce(self.folder, options=self.options)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, SECONDS))

    def ask(self, method: str, params: Any) -> str:
        """Send a request; it must be answered before the run of the machine is over."""
        self.requests += 1
        identifier = f"soak-{self.requests}"
        answer = self.editor.client.protocol.send_request_async(method, params, msg_id=identifier)
        self.flights[answer] = method, params
        return identifier

    def settle(self) -> None:
        """All that was asked is answered."""
        flights, self.flights = self.flights, {}
        if not flights:
            return
        done, pending = self.loop.run_until_complete(asyncio.wait(flights, timeout=SECONDS))
        assert not pending, f"not answered: {[flights[each] for each in pending]}"
        for each in done:
            error = each.exception()
            assert error is None or (isinstance(error, JsonRpcException) and error.code in ALLOWED), error
            what = flights[each][1].command if hasattr(flights[each][1], "command") else flights[each][0]
            self.outcomes[f"{what.rpartition('.')[2]}: {'done' if error is None else str(error)[:60]}"] += 1

    def size(self) -> dict[str, int]:
        """What the server holds."""
        return {
            "descriptors": self.process.num_fds(),
            "threads": self.process.num_threads(),
            "processes": len(self.process.children(recursive=True)),
            "megabytes": self.process.memory_info().rss >> 20,
        }

    def close(self) -> None:
        try:
            assert self.run(self.editor.leave()) == 0
        finally:
            self.loop.close()
