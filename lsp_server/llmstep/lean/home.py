"""A Lean server with the files that are checked with it, and the room that they may take."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import attrs

from llmstep.errors import LeanCrashedError, LeanProjectError
from llmstep.lean.checker import FileChecker
from llmstep.lean.memory_limit import limit_of
from llmstep.lean.process import LeanProcess
from llmstep.lean.project import Project
from llmstep.lean.server import LeanServer
from llmstep.settings import Settings

T = TypeVar("T")

KNOWN_FILES: Final = 64
LOCK_SECONDS: Final = 2.0
"""How long to leave to another Lake before Lean is started anew."""


@attrs.frozen
class ServerInfo:
    """A running Lean server, for `llmstep doctor` and the status."""

    root: Path
    command: tuple[str, ...]
    processes: list[LeanProcess]


@attrs.define(eq=False)
class Home:
    """A server and the files that were checked with it, the latest last."""

    server: LeanServer
    project: Project
    files: OrderedDict[str, FileChecker] = attrs.field(factory=OrderedDict)
    users: int = 0
    timer: asyncio.TimerHandle | None = None
    """Stops the server when it runs out; None while somebody uses it."""
    builds: bool = False
    """A build of its imports runs."""

    def keep(self) -> None:
        """The server is not idle any more, or stopped by hand."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    async def again(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does work; once more if Lean crashes, or with a new server if Lake could not configure the project."""
        try:
            return await work()
        except LeanCrashedError:
            return await work()
        except LeanProjectError as error:  # a lock of another Lake, or a lakefile that has been corrected since
            failed = self.server.pid
            if error.retryable:
                await asyncio.sleep(LOCK_SECONDS)
            if self.server.pid == failed:  # else another question has done it
                await self.server.restart()
            return await work()


async def evict(uri: str, homes: Sequence[Home], settings: Settings) -> None:
    """Closes the shadow documents that were not used for longest, before one more is used.

    Fewer stay than the settings say where together they have more private memory than one may have.
    """
    others = [(key, file) for home in homes for key, file in home.files.items() if file.is_open and key != uri]
    others.sort(key=lambda pair: pair[1].used)
    max_files = settings.lean.open_files - 1
    if others:
        members = await asyncio.to_thread(lambda: [each for home in homes for each in home.server.processes()])
        sizes = {member.uri: member.private_bytes for member in members if member.uri}
        limit = limit_of(settings.check)
        while max_files and sum(sizes.get(key, 0) for key, _ in [(uri, None), *others[-max_files:]]) > limit:
            max_files -= 1
    for _, checker in others[: max(0, len(others) - max_files)]:
        if not checker.busy:
            await checker.close()
    for home in homes:
        while len(home.files) > KNOWN_FILES:
            home.files.popitem(last=False)
