"""The life of a server that llmstep starts: port, key, start, health, log, end.

It listens at a free port of loopback, wants a key that nobody else knows, and ends when this process does
(`llmstep.engine.served.guard`). Its log is read all the time, so that it never waits for a full pipe; the last lines
are kept for the message when it ends by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import attrs

from llmstep.catalog.template import PromptTemplate
from llmstep.engine.remote.place import Key, Place
from llmstep.engine.served import guard
from llmstep.errors import CancelledError, LlmstepError, ModelLoadError, RemoteError
from llmstep.progress import Progress, ProgressSink, silent

_log = logging.getLogger(__name__)

PORT = "{port}"
"""Stands for the port in a command."""
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_FOR_HEALTH = 10.0
_SECONDS_TO_END = 10.0
_LINES = 200
_MAX_LINE = 300
_TELLING = re.compile(r"\b(error|failed|cannot|unable|out of memory|not supported|unknown)\b", re.IGNORECASE)


@attrs.frozen
class Launch:
    """How a server is started."""

    name: str
    """What messages call it."""
    model: str
    words: tuple[str, ...]
    """The command; a word that is `PORT` becomes the port."""
    key_variable: str
    """Environment variable in which it takes its key."""
    path: str = ""
    """What its API has in front of every path."""
    health: str = "/health"
    """Path behind that one, which answers JSON when it is ready."""
    variables: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    """Further environment variables."""
    template: PromptTemplate | None = attrs.field(default=None, eq=False)
    """Of the model's prompts."""
    folder: Path | None = attrs.field(default=None, eq=False)
    """With the model's tokenizer; None where that is in the file with the weights."""


class Child:
    """One server at a time, started when it is first asked for; belongs to one asyncio loop."""

    def __init__(self) -> None:
        self._launch: Launch | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task[Place] | None = None
        self._listeners: list[ProgressSink] = []
        self._reading: asyncio.Task[None] | None = None
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._changing = asyncio.Lock()
        """Held while it is decided what runs: a server that is asked for while one ends waits for that."""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def place(self, launch: Launch, progress: ProgressSink = silent) -> Place:
        """Where the server is; it is started where it does not run, or another one runs.

        The start goes on when the task that waits for it is cancelled: the next request needs the server too.

        Raises:
            ModelLoadError: It ended before it was ready.
            CancelledError: `stop` was called, or another server asked for, before it was ready.
        """
        async with self._changing:
            if launch != self._launch or (self._starting is not None and self._starting.done() and not self.running):
                await self._stop()
                self._launch = launch
            if self._starting is None:
                self._starting = asyncio.ensure_future(self._start(launch))
            starting = self._starting
        self._listeners.append(progress)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            if starting.cancelled():
                raise CancelledError(f"{launch.name} was ended before it was ready.", hint="Ask again.") from None
            raise
        finally:
            self._listeners.remove(progress)

    async def ended(self) -> LlmstepError | None:
        """The error for a server that has ended by itself; None while it runs.

        A connection breaks a moment before its process is gone, hence the wait.
        """
        process, launch = self._process, self._launch
        if process is None or launch is None:
            return None
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), 1.0)
        if process.returncode is None:
            return None
        return RemoteError(
            f"{launch.name} ended while it worked (status {process.returncode}){self._said()}.",
            hint="Ask again, and llmstep starts it again. If that fails too, see llmstep's log.",
        )

    async def stop(self) -> None:
        """End the server, and wait until it is gone; a second call does nothing."""
        async with self._changing:
            await self._stop()

    async def _stop(self) -> None:
        starting, self._starting = self._starting, None
        process, self._process = self._process, None
        if starting is not None:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            process = process or self._process  # it may have come meanwhile
            self._process = None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), _SECONDS_TO_END)
            except asyncio.TimeoutError:
                process.kill()
                await process.wait()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None

    async def _start(self, launch: Launch) -> Place:
        port = _free_port()
        key = Key(secrets.token_urlsafe(24))
        words = [str(port) if word == PORT else word for word in launch.words]
        self._lines.clear()
        started = time.monotonic()
        self._progress(launch, 0)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", guard.__name__, *words),
            env={**os.environ, **launch.variables, launch.key_variable: key.secret},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=sys.platform != "win32",  # a Ctrl-C is meant for us, and we end it
        )
        place = Place(f"http://127.0.0.1:{port}{launch.path}", key)
        self._reading = asyncio.ensure_future(self._read(self._process, launch, place))
        await self._until_ready(launch, place, started)
        return place

    async def _until_ready(self, launch: Launch, place: Place, started: float) -> None:
        from llmstep.engine.remote.connection import Connection
        from llmstep.engine.remote.refusals import Passing

        connection = Connection(place, _SECONDS_FOR_HEALTH)
        shown = 0
        try:
            while True:
                assert self._process is not None
                if self._process.returncode is not None:
                    raise await self._failed(launch, self._process.returncode)
                with contextlib.suppress(Passing, LlmstepError):
                    await connection.get(launch.health, _SECONDS_FOR_HEALTH)
                    return
                if (seconds := int(time.monotonic() - started)) > shown:
                    self._progress(launch, shown := seconds)
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        finally:
            await connection.close()

    async def _failed(self, launch: Launch, status: int) -> ModelLoadError:
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=1.0)  # the last lines
        if status == guard.NO_COMMAND:
            return ModelLoadError(
                f"The command {launch.words[0]}, which is to start {launch.name}, cannot be run.",
                hint="Correct llmstep.remote.command, or install the program.",
            )
        return ModelLoadError(
            f"{launch.name} could not start with {launch.model} (status {status}){self._said()}.",
            hint="Check that it supports this model and that the model fits into memory; llmstep's log has its output.",
        )

    def _said(self) -> str:
        """The line of the log that says most, behind a colon."""
        lines = [line for line in self._lines if line]
        telling = [line for line in lines if _TELLING.search(line)] or lines
        return f": {telling[-1][:_MAX_LINE].rstrip('.: ')}" if telling else ""

    async def _read(self, process: asyncio.subprocess.Process, launch: Launch, place: Place) -> None:
        assert process.stdout is not None
        rest = b""
        while data := await process.stdout.read(1 << 16):
            *whole, rest = (rest + data).split(b"\n")
            rest = rest[-_MAX_LINE:]
            for line in whole:
                text = place.shown(line.decode("utf-8", "replace").strip())
                self._lines.append(text)
                _log.debug("%s: %s", launch.name, text)

    def _progress(self, launch: Launch, seconds: int) -> None:
        update = Progress("load", f"Starting {launch.name} with {launch.model} ({seconds} s)")
        for progress in tuple(self._listeners):
            progress(update)


def _free_port() -> int:
    """A port that nobody has, below those that systems give to whoever asks for any: the server takes it only later."""
    for _ in range(100):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            break
    return port
