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


class Server:
    """One server, from its start to its end; belongs to one asyncio loop."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.listeners: list[ProgressSink] = []
        """Told how long the start takes."""
        self.status = 0
        """That with which it ended."""
        self._lines: deque[str] = deque(maxlen=_LINES)
        self.ready: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        """Where it is, or the `ModelLoadError` for one that ended before it was ready."""
        self.life = asyncio.create_task(self._live())
        """Done when its processes are gone; cancelled, it ends them."""
        self.life.add_done_callback(self._told)
        self.life.add_done_callback(lambda _: self.ready.cancel())

    async def _live(self) -> None:
        port, key, launch = _free_port(), Key(secrets.token_urlsafe(24)), self.launch
        place = Place(f"http://127.0.0.1:{port}{launch.path}", key)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", guard.__name__, *(str(port) if word == PORT else word for word in launch.words)),
            env={**os.environ, **launch.variables, launch.key_variable: key.secret},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=sys.platform != "win32",  # a Ctrl-C is meant for us, and we end it
        )
        assert process.stdin is not None
        assert process.stdout is not None
        reading = asyncio.create_task(self._read(process.stdout, place))
        looking = asyncio.create_task(self._look(place))
        looking.add_done_callback(self._told)
        try:
            self.status = await process.wait()
            await asyncio.wait({reading}, timeout=1.0)  # the last lines
        finally:
            looking.cancel()
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), _SECONDS_TO_END)
            except asyncio.TimeoutError:
                process.kill()
                await process.wait()
            reading.cancel()
            await asyncio.gather(looking, reading, return_exceptions=True)
        if not self.ready.done():
            self.ready.set_exception(self._failed())

    def _told(self, task: asyncio.Task[None]) -> None:
        """What a task raises reaches those who wait for the server."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.ready.done():
            self.ready.set_exception(error)

    async def _look(self, place: Place) -> None:
        from llmstep.engine.remote.connection import Connection
        from llmstep.engine.remote.refusals import Passing

        connection, started, shown = Connection(place, _SECONDS_FOR_HEALTH), time.monotonic(), -1
        try:
            while True:
                if (seconds := int(time.monotonic() - started)) > shown:
                    shown = seconds
                    update = Progress("load", f"Starting {self.launch.name} with {self.launch.model} ({seconds} s)")
                    for progress in tuple(self.listeners):
                        progress(update)
                with contextlib.suppress(Passing, LlmstepError):
                    await connection.get(self.launch.health, _SECONDS_FOR_HEALTH)
                    if not self.ready.done():
                        self.ready.set_result(place)
                    return
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        finally:
            await connection.close()

    async def _read(self, stdout: asyncio.StreamReader, place: Place) -> None:
        rest = b""
        while data := await stdout.read(1 << 16):
            *whole, rest = (rest + data).split(b"\n")
            rest = rest[-_MAX_LINE:]
            for line in whole:
                text = place.shown(line.decode("utf-8", "replace").strip())
                self._lines.append(text)
                _log.debug("%s: %s", self.launch.name, text)

    def _failed(self) -> ModelLoadError:
        launch = self.launch
        if self.status == guard.NO_COMMAND:
            return ModelLoadError(
                f"The command {launch.words[0]}, which is to start {launch.name}, cannot be run.",
                hint="Correct llmstep.remote.command, or install the program.",
            )
        return ModelLoadError(
            f"{launch.name} could not start with {launch.model} (status {self.status}){self.said()}.",
            hint="Check that it supports this model and that the model fits into memory; llmstep's log has its output.",
        )

    def said(self) -> str:
        """The line of the log that says most, behind a colon."""
        lines = [line for line in self._lines if line]
        telling = [line for line in lines if _TELLING.search(line)] or lines
        return f": {telling[-1][:_MAX_LINE].rstrip('.: ')}" if telling else ""


class Child:
    """One server at a time, started when it is first asked for; belongs to one asyncio loop."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self._changing = asyncio.Lock()
        """Held while it is decided what runs: a server that is asked for while one ends waits for that."""

    @property
    def running(self) -> bool:
        return self._server is not None and not self._server.life.done()

    async def place(self, launch: Launch, progress: ProgressSink = silent) -> Place:
        """Where the server is; it is started where it does not run, or another one runs.

        The start goes on when the task that waits for it is cancelled: the next request needs the server too.

        Raises:
            ModelLoadError: It ended before it was ready.
            CancelledError: `stop` was called, or another server asked for, before it was ready.
        """
        async with self._changing:
            if self._server is None or not self.running or self._server.launch != launch:
                await self._stop()
                self._server = Server(launch)
            server = self._server
        server.listeners.append(progress)
        try:
            return await asyncio.shield(server.ready)
        except asyncio.CancelledError:
            if server.ready.cancelled():
                raise CancelledError(f"{launch.name} was ended before it was ready.", hint="Ask again.") from None
            raise
        finally:
            server.listeners.remove(progress)

    async def ended(self) -> LlmstepError | None:
        """The error for a server that has ended by itself, a moment after its connections; None while it runs."""
        server = self._server
        if server is None or not (await asyncio.wait({server.life}, timeout=2.0))[0]:
            return None
        return RemoteError(
            f"{server.launch.name} ended while it worked (status {server.status}){server.said()}.",
            hint="Ask again, and llmstep starts it again. If that fails too, see llmstep's log.",
        )

    async def stop(self) -> None:
        """End the server, and wait until it is gone; a second call does nothing."""
        async with self._changing:
            await self._stop()

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.life.cancel()
            await asyncio.wait({server.life})


def _free_port() -> int:
    """A port that nobody has, below those that systems give to whoever asks for any: the server takes it only later."""
    for _ in range(100):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            break
    return port
