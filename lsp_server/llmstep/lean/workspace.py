"""All Lean servers of an editor session: one for each project, started on first need, stopped when idle."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs
from pygls.uris import to_fs_path

from llmstep.errors import CancelledError, LeanCrashedError, NoGoalError
from llmstep.lean.checker import FileChecker
from llmstep.lean.project import TOOLCHAIN, Project, find_project, server_command
from llmstep.lean.proposals import proposed
from llmstep.lean.server import LeanServer
from llmstep.types import Check, Goal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from llmstep.lean.process import LeanProcess
    from llmstep.lean.site import Site
    from llmstep.lean.verdict import Diagnostic
    from llmstep.settings import Settings

T = TypeVar("T")

OPEN_FILES = 8
"""So many files of a server have a worker at the same time; each costs well over 100 MB."""
KNOWN_FILES = 64


@attrs.frozen
class ServerInfo:
    """A running Lean server, for `llmstep doctor` and the status."""

    root: Path
    command: tuple[str, ...]
    processes: list[LeanProcess]


@attrs.define(eq=False)
class _Home:
    """A server and the files that were checked with it, the latest last."""

    server: LeanServer
    files: OrderedDict[str, FileChecker] = attrs.field(factory=OrderedDict)
    users: int = 0
    timer: asyncio.TimerHandle | None = None


class LeanWorkspace:
    """Goals and checks for any file. Belongs to one asyncio loop.

    Args:
        settings: Command, limits and times of Lean.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._homes: dict[Path | None, _Home] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._closed = False

    def configure(self, settings: Settings) -> None:
        """Uses other settings from the next call on; servers whose command or limits change are started anew."""
        old, self.settings = self.settings, settings
        if (old.lean, old.check) != (settings.lean, settings.check):
            for key in list(self._homes):
                self._stop(key)

    async def goal(self, uri: str, text: str, site: Site) -> Goal:
        """The goals that a candidate at `site` will face.

        Raises:
            NoGoalError: There is none.
            LeanError: Lean cannot be started, or does not answer within the time limit.
        """
        async with self._file(uri) as checker:
            baseline = await _again(lambda: checker.baseline(text, site))
        return Goal(baseline.goals[0], baseline.goals[1:])

    async def locate(self, uri: str, text: str, sites: Sequence[Site]) -> tuple[Site, Goal]:
        """The first of several sites (see `find_sites`) that has a goal, and the goal.

        Raises:
            NoGoalError: None of them has one; it speaks of the first.
            LeanError: Lean cannot be started, or does not answer within the time limit.
        """
        first: NoGoalError | None = None
        for site in sites:
            try:
                return site, await self.goal(uri, text, site)
            except NoGoalError as error:
                first = first or error
        raise first or NoGoalError(
            "There is no goal here.", hint="Put the cursor at a tactic, a `sorry` or after `by`."
        )

    async def check(
        self,
        uri: str,
        text: str,
        site: Site,
        goal: Goal,
        candidates: Sequence[str],
        on_result: Callable[[int, Check], None] | None = None,
    ) -> list[Check]:
        """The verdicts on candidates for the goals at `site`, in their order.

        Args:
            goal: Where the candidates come from. They are judged against Lean's own answer for the site.
            on_result: Called with the index and the verdict of each candidate as it comes.

        Raises:
            NoGoalError: There is no goal.
            LeanError: Lean cannot be started, or fails on the text without any candidate.
        """
        checks: list[Check] = []
        async with self._file(uri) as checker:
            for index, candidate in enumerate(candidates):
                check = await _again(lambda candidate=candidate: checker.check(text, site, candidate))  # type: ignore[misc]
                checks.append(check)
                if on_result is not None:
                    on_result(index, check)
        return checks

    async def proposals(self, uri: str, text: str, site: Site, tactic: str) -> list[str]:
        """The texts that a searching tactic such as `exact?` proposes at a site, best first.

        Raises:
            NoGoalError: There is no goal.
            LeanError: Lean cannot be started, or fails on the text without the tactic.
        """
        async with self._file(uri) as checker:
            return proposed(await _again(lambda: checker.informations(text, site, tactic)))

    async def errors(self, uri: str, text: str) -> list[str]:
        """The messages of all errors that Lean finds in a file with this text, to its end.

        Raises:
            LeanError: Lean cannot be started, or does not answer within the time limit.
        """
        async with self._file(uri) as checker:
            return await _again(lambda: checker.errors(text))

    async def messages(self, uri: str, text: str) -> list[Diagnostic]:
        """Everything that Lean has to say about a file with this text, to its end.

        Raises:
            LeanError: Lean cannot be started, or does not answer within the time limit.
        """
        async with self._file(uri) as checker:
            return await _again(lambda: checker.messages(text))

    def servers(self) -> list[ServerInfo]:
        """The servers that run."""
        homes = [home.server for home in self._homes.values() if home.server.alive]
        return [ServerInfo(server.root, server.command, server.processes()) for server in homes]

    async def restart(self) -> None:
        """Stops all servers and forgets what they said, so that rebuilt imports are read again."""
        for key in list(self._homes):
            self._stop(key)
        await self._stopped()

    async def close(self) -> None:
        """Stops all servers for good."""
        self._closed = True
        await self.restart()

    @contextlib.asynccontextmanager
    async def _file(self, uri: str) -> AsyncIterator[FileChecker]:
        """The checker of a file; its server does not count as idle meanwhile."""
        if self._closed:
            raise CancelledError("llmstep is shutting down.")
        path = Path(to_fs_path(uri) or "Untitled.lean")
        project = find_project(_existing(path))
        home = self._home(project)
        checker = home.files.get(uri)
        if checker is None:
            settings = self.settings
            checker = FileChecker(home.server, uri, settings.check, settings.lean.timeout_seconds)
            home.files[uri] = checker
        home.files.move_to_end(uri)
        home.users += 1
        if home.timer is not None:
            home.timer.cancel()
            home.timer = None
        try:
            await self._make_room(home)
            yield checker
        finally:
            home.users -= 1
            self._rest(home)

    def _home(self, project: Project) -> _Home:
        inside = project.lake or (project.root / TOOLCHAIN).is_file()
        key = project.root if inside else None  # files outside of projects share one server
        home = self._homes.get(key)
        if home is None:
            command = server_command(project, self.settings.lean, self.settings.check)
            home = _Home(LeanServer(command, project.root, timeout=self.settings.lean.timeout_seconds))
            self._homes[key] = home
        return home

    async def _make_room(self, home: _Home) -> None:
        """Closes the shadow documents that were not used for longest."""
        for checker in list(home.files.values())[:-OPEN_FILES]:
            if checker.is_open and not checker.busy:
                await checker.close()
        while len(home.files) > KNOWN_FILES:
            home.files.popitem(last=False)

    def _rest(self, home: _Home) -> None:
        """Stops a server after a while, unless somebody uses it."""
        minutes = self.settings.lean.idle_minutes
        if home.users or not minutes or self._closed:
            return
        key = next((key for key, value in self._homes.items() if value is home), None)
        if home in self._homes.values():
            home.timer = asyncio.get_running_loop().call_later(minutes * 60, self._stop, key)

    def _stop(self, key: Path | None) -> None:
        """Stops a server in the background; the next call starts another one."""
        home = self._homes.pop(key, None)
        if home is None:
            return
        if home.timer is not None:
            home.timer.cancel()
        task = asyncio.ensure_future(home.server.stop())
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def _stopped(self) -> None:
        if self._stopping:
            await asyncio.wait(self._stopping)


async def _again(work: Callable[[], Awaitable[T]]) -> T:
    """Does a piece of work; once more if Lean crashes."""
    try:
        return await work()
    except LeanCrashedError:
        return await work()


def _existing(path: Path) -> Path:
    """The path, below the nearest folder that exists: a file may be new, and so may its folder."""
    folder = path.absolute().parent
    while not folder.is_dir():
        folder = folder.parent
    return folder / path.name
