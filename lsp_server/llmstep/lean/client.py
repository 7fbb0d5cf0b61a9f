"""One Lean server process and the conversation with it."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import logging
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil
from pygls.exceptions import JsonRpcException

from llmstep.errors import (
    CancelledError,
    LeanCrashedError,
    LeanError,
    LeanNotFoundError,
    LeanTimeoutError,
    LlmstepError,
)
from llmstep.lean import process, protocol
from llmstep.lean.protocol import Message

logger = logging.getLogger(__name__)

Params = dict[str, Any]

STOP_SECONDS = 5.0
"""How long a server may take to shut down by itself, and a killed one to be gone."""
PATIENCE = 5.0
"""Seconds to wait for the first message after other output: wrappers print greetings."""


async def spawn(command: Sequence[str], root: Path, mark: str, variables: Sequence[str] = ()) -> Process:
    """Starts a server in the folder `root`, with these environment variables beside those that it needs."""
    _check_folder(root)
    try:
        return await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=root, **process.spawn_options(mark, variables)
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


class LeanClient:
    """The conversation with a Lean server process. A dead one is replaced, not revived.

    Args:
        child: The process, as `spawn` has started it.
        mark: What all its processes carry.
        on_notification: Called with the method and the parameters of each notification.
        on_stderr: Called with each line that it writes to its standard error.
    """

    def __init__(
        self,
        child: Process,
        mark: str,
        on_notification: Callable[[str, Params], None],
        on_stderr: Callable[[str], None],
    ) -> None:
        assert child.stdin is not None
        self.alive = True
        self.stderr: collections.deque[str] = collections.deque(maxlen=50)
        self.noise: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """The first line that is no header of a message, once no message is to be expected after it."""
        self._child = child
        self._input = child.stdin
        self._mark = mark
        self._on_notification = on_notification
        self._on_stderr = on_stderr
        self._waits_for_noise: asyncio.TimerHandle | None = None
        self._closing = False
        self._dying: list[psutil.Process] = []
        self._cause: LlmstepError | None = None
        """Why it was ended from here."""
        self._shut = ""
        """The stream that a process which lives on has closed."""
        self._numbers = itertools.count(1)
        self._calls: dict[str, asyncio.Future[Any]] = {}
        """Those that Lean has not answered."""
        work = self._listen(), self._keep_stderr(), self._watch_input()
        self._reader, *self._watchers = map(asyncio.create_task, work)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_asked(self) -> bool:
        """Whether a request waits for an answer."""
        return bool(self._calls)

    def members(self) -> list[psutil.Process]:
        """The running processes of the server; by their mark where the one that we started left the others alone."""
        found = process.family(self.pid)
        return found if len(found) > 1 else process.marked(self._mark)

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
            timeout: Longest wait in seconds; the error names `limit` where this is not the first try.
            calls: Where the call is entered while it waits, so that `fail` can end it.

        Raises:
            JsonRpcException: Lean answered with an error.
        """
        if not self.alive:
            raise self.death()
        number = f"llmstep-{next(self._numbers)}"
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        calls = set() if calls is None else calls
        calls.add(answer)
        self._calls[number] = answer
        self._send({"id": number, "method": method, "params": params})
        try:
            await asyncio.wait((answer,), timeout=max(timeout, 0.0))
            if not answer.done():
                raise LeanTimeoutError(
                    f"Lean did not answer within {timeout if limit is None else limit:g} seconds.",
                    hint="Something above the goal takes long, or llmstep.lean.timeoutSeconds is too short.",
                )
            return answer.result()
        finally:
            calls.discard(answer)
            if self._calls.pop(number, None) is not None:
                self.notify("$/cancelRequest", {"id": number})
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # counts as seen, also when the caller was cancelled at the same moment

    def notify(self, method: str, params: Params | None) -> None:
        """Sends a notification; a dead server gets none."""
        if self.alive:
            self._send({"method": method, "params": params})

    def _send(self, message: Message) -> None:
        self._input.write(protocol.encoded(message))

    async def close(self) -> None:
        """Shuts the server down, kills what is left of its family, and ends pending requests."""
        self._closing = True
        fail(self._calls.values(), CancelledError("The Lean server was stopped.", hint="Ask again."))
        members = self.members()  # while their parents can still be asked
        try:
            with contextlib.suppress(LeanError, JsonRpcException):
                await self.request("shutdown", None, STOP_SECONDS)
            self.notify("exit", None)
            self._input.close()
            await asyncio.wait((self._reader,), timeout=STOP_SECONDS)
        finally:
            self.kill(members)
        await self.gone()

    def end(self, error: LlmstepError) -> None:
        """Kills the whole family; pending requests end with this error."""
        self._cause = error
        fail(self._calls.values(), error)
        self.kill()

    def kill(self, members: Iterable[psutil.Process] = ()) -> None:
        """Kills the whole family at once."""
        self.alive = False
        self._dying = [*members, *process.family(self.pid), *process.marked(self._mark)]
        process.end(self._dying)
        self._input.close()

    async def gone(self) -> None:
        """Waits until the killed family is dead, its first process reaped and its output read to the end."""
        await process.gone(self._dying, STOP_SECONDS)
        reaped = asyncio.ensure_future(self._child.wait())
        await asyncio.wait((self._reader, reaped), timeout=STOP_SECONDS)
        reaped.cancel()

    def death(self) -> LlmstepError:
        """The error of a request to a dead server, with the last line that it wrote to its standard error."""
        if self._cause is not None:
            return self._cause
        ended = protocol.how_it_ended(self._child.returncode, self._shut, self.stderr)
        return LeanCrashedError(f"The Lean server {ended}", hint="Try again.")

    async def _listen(self) -> None:
        """Reads messages until the server closes its output, which it does when it dies.

        The exit of the child is no measure of that: its workers keep the pipe of standard error open, and asyncio
        reports an exit only when all pipes are closed.
        """
        assert self._child.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            async for message in protocol.messages(self._child.stdout, self._hear_noise):
                try:
                    self._take(message)
                except Exception:  # none of Lean's messages, or a listener's fault: the conversation goes on
                    logger.debug("unexpected message of the Lean server", exc_info=True)
        await self._lost("output")

    def _hear_noise(self, line: str) -> None:
        if self._waits_for_noise is None:
            loop = asyncio.get_running_loop()
            self._waits_for_noise = loop.call_later(PATIENCE, self.noise.set_result, line)

    def _take(self, message: Message) -> None:
        """Hands on an answer or a notification; answers a request."""
        if self._waits_for_noise is not None:
            self._waits_for_noise.cancel()
        number, method = message.get("id"), message.get("method")
        if method is None:
            call = self._calls.pop(str(number), None)
            if call is None or call.done():
                return
            if error := message.get("error"):
                call.set_exception(JsonRpcException(error["message"], error["code"]))
            else:
                call.set_result(message.get("result"))
        elif number is None:
            self._on_notification(method, message["params"])
        elif method in protocol.SERVER_REQUESTS:
            self._send({"id": number, "result": None})
        else:
            self._send({"id": number, "error": {"code": protocol.METHOD_NOT_FOUND, "message": "Method Not Found"}})

    async def _watch_input(self) -> None:
        """A server that no longer reads can answer nothing."""
        with contextlib.suppress(ConnectionError):
            await self._input.wait_closed()
        await self._lost("input")

    async def _lost(self, stream: str) -> None:
        """A pipe is closed: says whether the process ended by itself, and ends what is left of it."""
        if self._closing or not self.alive:
            return
        for _ in range(20):
            if self._child.returncode is not None:
                break
            await asyncio.sleep(0.05)
        else:
            self._shut = self._shut or stream
        await asyncio.sleep(0)  # what it wrote last is read
        self.kill()
        fail(self._calls.values(), self.death())

    async def _keep_stderr(self) -> None:
        assert self._child.stderr is not None
        async for line in protocol.lines(self._child.stderr):
            self.stderr.append(line)
            if line.strip():
                self._on_stderr(line.strip())


def fail(calls: Iterable[asyncio.Future[Any]], error: Exception) -> None:
    """Ends pending calls with an error."""
    for call in list(calls):
        if not call.done():
            call.set_exception(error)


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        raise LeanError(f"The folder {root} does not exist.", hint="Save the file first.")
