"""One Lean server process and the conversation with it."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import logging
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
from pygls.client import JsonRPCClient
from pygls.exceptions import JsonRpcException
from pygls.io_ import run_async

from llmstep.errors import (
    CancelledError,
    LeanCrashedError,
    LeanError,
    LeanNotFoundError,
    LeanTimeoutError,
    LlmstepError,
)
from llmstep.lean import process
from llmstep.lean.protocol import SERVER_REQUESTS, LeanProtocol, Output, how_it_ended, raw_converter, split_lines

logger = logging.getLogger(__name__)

Params = dict[str, Any]

STOP_SECONDS = 5.0
"""How long a server may take to shut down by itself, and a killed one to be gone."""


class LeanClient(JsonRPCClient):
    """A Lean server process. Used once: a dead one is replaced, not revived.

    Args:
        on_notification: Called with the method and the parameters of each notification in `listens`.
        listens: Methods of the notifications that are wanted.
        on_stderr: Called with each line that it writes to its standard error.
    """

    def __init__(
        self,
        on_notification: Callable[[str, Params], None],
        listens: Iterable[str],
        on_stderr: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(LeanProtocol, raw_converter)
        self.mark = uuid.uuid4().hex
        self.alive = False
        self.stderr: collections.deque[str] = collections.deque(maxlen=50)
        self.output: Output | None = None
        self._on_stderr = on_stderr
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._watchers: list[asyncio.Task[None]] = []
        self._closing = False
        self._dying: list[psutil.Process] = []
        self._cause: LlmstepError | None = None
        """Why it was ended from here."""
        self._shut = ""
        """The stream that a process which lives on has closed."""
        self._numbers = itertools.count(1)
        self._calls: set[asyncio.Future[Any]] = set()
        for method in SERVER_REQUESTS:
            self.feature(method)(lambda params: None)
        for method in listens:
            self.feature(method)(_handler(method, on_notification))

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_asked(self) -> bool:
        """Whether a request waits for an answer."""
        return bool(self._calls)

    def members(self) -> list[psutil.Process]:
        """The running processes of the server; by their mark where the one that we started left the others alone."""
        found = process.family(self.pid) if self.pid else []
        return found if len(found) > 1 else process.marked(self.mark)

    async def spawn(self, command: Sequence[str], root: Path, variables: Sequence[str] = ()) -> None:
        """Starts the process in `root`.

        Args:
            command: Its argument vector.
            root: Its folder.
            variables: Names of variables that it is given beside those that it needs.

        Raises:
            LeanNotFoundError: There is no such program.
            LeanError: The folder does not exist, or the program cannot be run.
        """
        _check_folder(root)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=root, **process.spawn_options(self.mark, variables)
            )
        except FileNotFoundError:
            raise LeanNotFoundError(
                f"The program {command[0]} was not found.",
                hint="Install Lean with elan (https://lean-lang.org/install), or set llmstep.lean.command.",
            ) from None
        except OSError as error:
            raise LeanError(
                f"The program {command[0]} cannot be run: {error.strerror}.",
                hint=f"Try `{command[0]} --version` in a terminal, and correct llmstep.lean.command if it is set.",
            ) from error
        self.protocol.set_writer(self._process.stdin)  # type: ignore[arg-type]
        self.alive = True
        work = self._listen(self._process), self._keep_stderr(self._process), self._watch_input(self._process)
        self._reader, *self._watchers = map(asyncio.create_task, work)

    async def request(
        self,
        method: str,
        params: Params | None,
        timeout: float,
        calls: set[asyncio.Future[Any]] | None = None,
        *,
        limit: float | None = None,
    ) -> Any:
        """Sends a request and waits for its result. When it gives up, or the caller is cancelled, Lean ends it.

        Args:
            timeout: Longest wait in seconds.
            calls: Where the call is entered while it waits, so that `fail` can end it.
            limit: The time limit to name in the error, where this is not the first try.

        Raises:
            LeanTimeoutError: No answer in time.
            LeanCrashedError: The process died.
            pygls.exceptions.JsonRpcException: Lean answered with an error.
        """
        if not self.alive:
            raise self.death()
        number = f"llmstep-{next(self._numbers)}"  # not a number: pygls would mix it up with Lean's own
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        groups = [self._calls] if calls is None else [self._calls, calls]
        for group in groups:
            group.add(answer)
        reply = self.protocol.send_request(method, params, msg_id=number)
        reply.add_done_callback(lambda reply: _copy(reply, answer))
        try:
            await asyncio.wait((answer,), timeout=max(timeout, 0.0))
            if not answer.done():
                raise LeanTimeoutError(
                    f"Lean did not answer within {timeout if limit is None else limit:g} seconds.",
                    hint="Something above the goal takes long, or llmstep.lean.timeoutSeconds is too short.",
                )
            return answer.result()
        finally:
            for group in groups:
                group.discard(answer)
            if not reply.done():
                self.notify("$/cancelRequest", {"id": number})
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # counts as seen, also when the caller was cancelled at the same moment

    def notify(self, method: str, params: Params | None) -> None:
        """Sends a notification; a dead server gets none."""
        if self.alive:
            self.protocol.notify(method, params)

    async def close(self) -> None:
        """Shuts the server down, kills what is left of its family, and ends pending requests."""
        self._closing = True
        fail(self._calls, CancelledError("The Lean server was stopped.", hint="Ask again."))
        members = self.members()  # while their parents can still be asked
        try:
            with contextlib.suppress(LeanError, JsonRpcException):
                await self.request("shutdown", None, STOP_SECONDS)
            self.notify("exit", None)
            if self._process is not None and self._process.stdin is not None and self._reader is not None:
                self._process.stdin.close()
                await asyncio.wait((self._reader,), timeout=STOP_SECONDS)
        finally:
            self.kill(members)
        await self.gone()

    def end(self, error: LlmstepError) -> None:
        """Kills the whole family; pending requests end with this error."""
        self._cause = error
        fail(self._calls, error)
        self.kill()

    def kill(self, members: Iterable[psutil.Process] = ()) -> None:
        """Kills the whole family at once."""
        self.alive = False
        if self._process is not None:
            self._dying = [*members, *process.family(self._process.pid), *process.marked(self.mark)]
            process.end(self._dying)
            if self._process.stdin is not None:
                self._process.stdin.close()

    async def gone(self) -> None:
        """Waits until the killed family is dead, its first process reaped and its output read to the end."""
        await process.gone(self._dying, STOP_SECONDS)
        if self._process is not None and self._reader is not None:
            reaped = asyncio.ensure_future(self._process.wait())
            await asyncio.wait((self._reader, reaped), timeout=STOP_SECONDS)
            reaped.cancel()

    def death(self) -> LlmstepError:
        """The error of a request to a dead server, with the last line that it wrote to its standard error."""
        if self._cause is not None:
            return self._cause
        return LeanCrashedError(
            "The Lean server "
            + how_it_ended(self._process.returncode if self._process else None, self._shut, self.stderr),
            hint="Try again.",
        )

    async def _listen(self, child: Process) -> None:
        """Reads messages until the server closes its output, which it does when it dies.

        The exit of the child is no measure of that: its workers keep the pipe of standard error open, and asyncio
        reports an exit only when all pipes are closed.
        """
        assert child.stdout is not None
        self.output = Output(child.stdout)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await run_async(self._stop_event, self.output, self.protocol, logger)
        await self._lost(child, "output")

    async def _watch_input(self, child: Process) -> None:
        """A server that no longer reads can answer nothing."""
        assert child.stdin is not None
        with contextlib.suppress(ConnectionError):
            await child.stdin.wait_closed()
        await self._lost(child, "input")

    async def _lost(self, child: Process, stream: str) -> None:
        """A pipe is closed: says whether the process ended by itself, and ends what is left of it."""
        if self._closing or not self.alive:
            return
        for _ in range(20):
            if child.returncode is not None:
                break
            await asyncio.sleep(0.05)
        else:
            self._shut = self._shut or stream
        await asyncio.sleep(0)  # what it wrote last is read
        self.kill()
        fail(self._calls, self.death())

    async def _keep_stderr(self, child: Process) -> None:
        assert child.stderr is not None
        rest = b""
        while data := await child.stderr.read(4096):
            *lines, rest = split_lines(rest + data)
            for line in lines:
                self._say(line)
        if rest:
            self._say(rest)

    def _say(self, raw: bytes) -> None:
        line = raw.decode("utf-8", "replace")
        self.stderr.append(line)
        if self._on_stderr is not None and line.strip():
            self._on_stderr(line.strip())

    def report_server_error(self, error: Exception, source: Any) -> None:
        logger.debug("unexpected message of the Lean server: %s (%s)", error, source)


def fail(calls: set[asyncio.Future[Any]], error: Exception) -> None:
    """Ends pending calls with an error."""
    for call in list(calls):
        if not call.done():
            call.set_exception(error)


def _copy(reply: Future[Any], answer: asyncio.Future[Any]) -> None:
    """Hands on what came, unless nobody waits for it any more."""
    error = reply.exception()
    if not answer.done() and error is not None:
        answer.set_exception(error)
    elif not answer.done():
        answer.set_result(reply.result())


def _handler(method: str, on_notification: Callable[[str, Params], None]) -> Callable[[Params], None]:
    return lambda params: on_notification(method, params)


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        raise LeanError(f"The folder {root} does not exist.", hint="Save the file first.")
