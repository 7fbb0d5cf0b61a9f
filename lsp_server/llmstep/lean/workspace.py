"""All Lean servers of an editor session: one for each project, started on first need, stopped when idle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

from pygls.uris import to_fs_path

from llmstep.errors import BusyError, CancelledError, NoGoalError, StepFailsError
from llmstep.lean.build import build_commands, run
from llmstep.lean.checker import FileChecker
from llmstep.lean.elide import elide
from llmstep.lean.goal_layout import laid_out
from llmstep.lean.home import Home, ServerInfo, evict
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.lean.memory_limit import limit_of
from llmstep.lean.project import (
    TOOLCHAIN,
    Project,
    existing,
    find_project,
    server_command,
    takes_variables_by_proof,
    working_folder,
)
from llmstep.lean.proposals import proposed
from llmstep.lean.server import LeanServer
from llmstep.lean.trial import Trial
from llmstep.lean.verdict import ERROR, Diagnostic
from llmstep.progress import ProgressSink, silent
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.types import Check, Goal


class LeanWorkspace:
    """Goals and checks for any file. Belongs to one asyncio loop.

    Args:
        settings: When command, limits or times of Lean change, the next call has the new ones.
        folders: Gives the folders that the user has opened, see `find_project`; by default the working folder.
    """

    def __init__(
        self, settings: Settings | SettingsStore, folders: Callable[[], Sequence[Path]] = working_folder
    ) -> None:
        self.store = SettingsStore.of(settings)
        self.on_outdated: Callable[[str], None] = lambda _: None
        """Called with the address of a file of which nothing that Lean said before holds any more."""
        self._folders = folders
        self._homes: dict[Path | None, Home] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._closed = False
        self.store.subscribe(lambda settings: (settings.lean, settings.check), self._start_anew)

    @property
    def settings(self) -> Settings:
        return self.store.current

    def _start_anew(self, *_: object) -> None:
        """Stops servers whose command or limits have changed; the next call starts others."""
        for home in list(self._homes.values()):
            self._stop(home)

    async def goal(self, uri: str, text: str, point: InsertionPoint, progress: ProgressSink = silent) -> Goal:
        """The goals that a candidate at `point` of a file with this address and text will face.

        Raises:
            NoGoalError: There is none.
            LeanError: Lean cannot be started, or does not answer within the time limit.
        """
        async with self._file(uri, progress) as (checker, home):
            baseline = await home.again(lambda: checker.baseline(text, point))
            main, *others = await home.again(lambda: laid_out(checker, text, point, baseline.goals))
            return Goal(main, tuple(others))

    async def locate(
        self, uri: str, text: str, points: Sequence[InsertionPoint], progress: ProgressSink = silent
    ) -> tuple[InsertionPoint, Goal]:
        """The first of several insertion points (see `find_insertion_points`) that has a goal, and the goal.

        Raises:
            NoGoalError: None of them has one; it speaks of the first.
            LeanError: Lean cannot be started, or does not answer within the time limit.
        """
        first: NoGoalError | None = None
        for point in points:
            if point.mends and not isinstance(first, StepFailsError):
                continue
            try:
                return point, await self.goal(uri, text, point, progress)
            except NoGoalError as error:
                first = first or error
        raise first or NoGoalError(
            "There is no goal here.", hint="Put the cursor at a tactic, a `sorry` or after `by`."
        )

    async def check(
        self,
        uri: str,
        text: str,
        point: InsertionPoint,
        candidates: Sequence[str],
        on_result: Callable[[int, Check], None] | None = None,
        *,
        seconds: float | None = None,
    ) -> list[Check]:
        """The verdicts on candidates for the goals at `point`, in their order.

        Args:
            on_result: Called with the index and the verdict of each candidate as it comes.
            seconds: See `FileChecker.check`.

        Raises:
            NoGoalError: There is no goal.
            LeanError: Lean cannot be started, or fails on the text without any candidate.
        """
        checks: list[Check] = []
        async with self._file(uri) as (checker, home):
            for index, candidate in enumerate(candidates):
                check = await home.again(partial(checker.check, text, point, candidate, seconds=seconds))
                checks.append(check)
                if on_result is not None:
                    on_result(index, check)
        return checks

    async def trial(self, uri: str, text: str, point: InsertionPoint, proof: str, seconds: float) -> Trial:
        """See `FileChecker.trial`."""
        async with self._file(uri) as (checker, home):
            return await home.again(partial(checker.trial, text, point, proof, seconds))

    async def proposals(
        self, uri: str, text: str, point: InsertionPoint, tactic: str, seconds: float | None = None
    ) -> list[str]:
        """The texts that a searching tactic such as `exact?` proposes, best first; errors as with `check`.

        Args:
            seconds: The longest time; None is the settings' for a step.
        """
        async with self._file(uri) as (checker, home):
            return proposed(await home.again(lambda: checker.informations(text, point, tactic, seconds)))

    async def renamed(self, uri: str, text: str, point: InsertionPoint, candidate: str) -> list[str]:
        """See `FileChecker.renamed`."""
        async with self._file(uri) as (checker, home):
            return await home.again(lambda: checker.renamed(text, point, candidate))

    def elided(self, uri: str, text: str, point: InsertionPoint) -> str:
        """The text as it is checked: what stands above the declaration of an insertion point is taken as given."""
        by_proof = takes_variables_by_proof(self._project(uri).root)
        return elide(text, point.declaration.known, variables_by_proof=by_proof)

    async def errors(self, uri: str, text: str) -> list[str]:
        """The messages of the errors among `messages`."""
        return [str(each["message"]) for each in await self.messages(uri, text) if each.get("severity") == ERROR]

    async def messages(self, uri: str, text: str) -> list[Diagnostic]:
        """Everything that Lean has to say about a file with this text, to its end.

        Raises:
            LeanError: Lean cannot be started, or does not answer within the time limit.
        """
        async with self._file(uri) as (checker, home):
            return await home.again(lambda: checker.messages(text))

    def servers(self) -> list[ServerInfo]:
        """The servers that run."""
        homes = [home.server for home in self._homes.values() if home.server.alive]
        return [ServerInfo(server.root, server.command, server.processes()) for server in homes]

    async def restart(self) -> None:
        """Stops all servers and forgets what they said, so that rebuilt imports are read again."""
        for home in list(self._homes.values()):
            self._stop(home)
        if self._stopping:
            await asyncio.wait(self._stopping)

    async def close(self) -> None:
        """Stops all servers for good."""
        self._closed = True
        await self.restart()

    async def build_imports(self, uri: str, text: str, progress: ProgressSink) -> None:
        """Builds what a file with this text imports, and reads the imports of all files of the project again.

        Args:
            progress: Called with each line that Lake prints.

        Raises:
            LeanProjectError: There is nothing to build, or the build fails.
            BusyError: It is being built already.
        """
        home = self._home(self._project(uri))
        lean = self.settings.lean
        commands = build_commands(home.project, text, lean)
        if home.builds:
            raise BusyError("The imports of this project are being built already.", hint="Wait until that has ended.")
        home.builds = True
        try:
            for checker in home.files.values():
                await checker.close()  # Lake writes anew what they have mapped into memory
            for command in commands:
                await run(command, home.project.root, lean.environment, progress)
        finally:
            home.builds = False
            self._outdate(home)

    def saved(self, files: Sequence[Path]) -> bool:
        """Files were written: what rests on them is no longer known; False where nothing does."""
        return bool([home for home in self._homes.values() if self._outdate(home, files)])

    def _outdate(self, home: Home, files: Sequence[Path] | None = None) -> bool:
        outdated = [uri for uri, checker in home.files.items() if checker.outdate(files)]
        for uri in outdated:
            self.on_outdated(uri)
        return bool(outdated)

    @contextlib.asynccontextmanager
    async def _file(self, uri: str, progress: ProgressSink = silent) -> AsyncIterator[tuple[FileChecker, Home]]:
        """The checker of a file, and its home, whose server does not count as idle in the block."""
        if self._closed:
            raise CancelledError("llmstep is shutting down.")
        home = self._home(self._project(uri))
        checker = home.files.get(uri)
        if checker is None:
            by_proof = takes_variables_by_proof(home.project.root)
            check, patience = self.settings.check, self.settings.lean.timeout_seconds
            checker = FileChecker(home.server, uri, check, patience, variables_by_proof=by_proof)
            home.files[uri] = checker
        home.files.move_to_end(uri)
        home.users += 1
        home.keep()
        home.server.listeners.append(progress)
        try:
            await evict(uri, list(self._homes.values()), self.settings)
            if await checker.refresh():
                self.on_outdated(uri)
            yield checker, home
        finally:
            home.server.listeners.remove(progress)
            home.users -= 1
            self._rest(home)

    def _project(self, uri: str) -> Project:
        return find_project(existing(Path(to_fs_path(uri) or "Untitled.lean")), self._folders())

    def _home(self, project: Project) -> Home:
        inside = project.lake or (project.root / TOOLCHAIN).is_file()
        key = project.root if inside else None  # files outside of projects share one server
        home = self._homes.get(key)
        if home is None:
            lean, check = self.settings.lean, self.settings.check
            command = server_command(project, lean, check)
            server = LeanServer(
                command, project.root, timeout=lean.timeout_seconds, lean=lean, memory_bytes=limit_of(check)
            )
            home = self._homes[key] = Home(server, project)
        return home

    def _rest(self, home: Home) -> None:
        """Stops a server after a while, unless somebody uses it."""
        minutes = self.settings.lean.idle_minutes
        if minutes and not home.users and home in self._homes.values():
            home.timer = asyncio.get_running_loop().call_later(minutes * 60, self._stop_idle, home)

    def _stop_idle(self, home: Home) -> None:
        """Stops a server that nobody uses, but not a start: it may be a download."""
        if home.server.is_starting or home.builds:
            self._rest(home)
        else:
            self._stop(home)

    def _stop(self, home: Home) -> None:
        """Stops a server in the background; the next call starts another one."""
        self._homes = {key: each for key, each in self._homes.items() if each is not home}
        home.keep()
        task = asyncio.ensure_future(home.server.stop())
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
