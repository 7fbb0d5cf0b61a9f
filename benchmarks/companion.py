"""A companion as an editor runs it: a process of its own, spoken to over its pipes by pygls' client."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import attrs
import psutil
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcMethodNotFound
from pygls.lsp.client import LanguageClient
from pygls.protocol import LanguageServerProtocol

from llmstep.errors import LlmstepError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

SECONDS = 1200.0
"""Longest wait for an answer: Lean reads a long file once."""
_SECONDS_TO_LEAVE = 10.0
_OVERRULING = ("LLMSTEP_MODEL", "LLMSTEP_PORT")
"""Variables that win over the options of `initialize`."""
_CAPABILITIES = {
    "workspace": {"workspaceEdit": {"documentChanges": True}, "inlayHint": {"refreshSupport": True}},
}

logging.getLogger("pygls").addHandler(logging.NullHandler())  # else its warnings go to the user's terminal


@attrs.define
class Answer:
    """A response whose result is left as it came: decoding it would count as the companion's time."""

    id: int | str
    jsonrpc: str
    result: Any = None


class _Protocol(LanguageServerProtocol):
    def get_result_type(self, method: str) -> type[Any] | None:  # type: ignore[override]
        return super().get_result_type(method) if method == types.INITIALIZE else Answer


class Companion:
    """One process of `llmstep lsp` and the editor's side of its wire."""

    def __init__(self) -> None:
        self.goals: dict[str, str] = {}
        """By address of a document: the goal that the editor's Lean shows; asked for with `goalProvider: client`."""
        self.state = ""
        """The last that `llmstep/status` told."""
        self._news = asyncio.Event()
        self._client = LanguageClient("llmstep-bench", "1", protocol_cls=_Protocol)
        self._gone: asyncio.Task[int] | None = None
        self._stderr: asyncio.Task[None] | None = None
        self._said = b""
        self._listen()

    @property
    def process(self) -> asyncio.subprocess.Process:
        process = self._client._server
        assert process is not None
        return process

    async def start(self, folder: Path, options: Mapping[str, Any]) -> None:
        """Start the process and introduce the editor.

        Args:
            options: The companion's settings, with the names of the wire.

        Raises:
            LlmstepError: It does not answer.
        """
        environment = {name: value for name, value in os.environ.items() if name not in _OVERRULING}
        await self._client.start_io(sys.executable, "-m", "llmstep", "lsp", cwd=folder, env=environment)
        self._gone = asyncio.create_task(self.process.wait())
        self._stderr = asyncio.create_task(self._read_stderr())
        capabilities = self._client.protocol._converter.structure(_CAPABILITIES, types.ClientCapabilities)
        await self.ask(
            types.INITIALIZE,
            types.InitializeParams(
                capabilities=capabilities, root_uri=folder.as_uri(), initialization_options=dict(options)
            ),
        )
        self.tell(types.INITIALIZED, types.InitializedParams())

    def tell(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._client.protocol.notify(method, params)

    async def ask(self, method: str, params: Any) -> Any:
        """Send a request and wait for its result.

        Raises:
            LlmstepError: The companion refused it, has ended, or does not answer.
        """
        assert self._gone is not None
        answer = asyncio.wrap_future(self._client.protocol.send_request(method, params))
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may come when nobody waits
        # Nothing is cancelled: pygls takes the answer to a request that was cancelled on this side for an error.
        await asyncio.wait({answer, self._gone}, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self._gone.done():
            last = (self._said.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            raise LlmstepError(f"The companion has ended: {last}", hint="Try `llmstep doctor`.")
        if not answer.done():
            raise LlmstepError(f"The companion did not answer {method} within {SECONDS:g} seconds.")
        try:
            return answer.result()
        except JsonRpcException as error:
            raise LlmstepError(f"The companion refused {method}: {error.message}") from None

    async def command(self, name: str, *arguments: Any) -> Any:
        """Run a command; its result as plain objects."""
        return await self.ask(types.WORKSPACE_EXECUTE_COMMAND, types.ExecuteCommandParams(name, list(arguments)))

    @property
    def busy(self) -> bool:
        """Whether it is at work on suggestions."""
        return self.state not in ("", "idle")

    async def until_busy(self) -> None:
        """Wait for the beginning of work."""
        await self._until(busy=True)

    async def until_idle(self) -> None:
        """Wait for the end of work; the model may be loaded behind the first answer, which is then the starter's."""
        await self._until(busy=False)

    async def _until(self, *, busy: bool) -> None:
        while self.busy != busy:
            self._news.clear()
            await self._news.wait()

    async def leave(self) -> None:
        """`shutdown` and `exit`; a companion that does not go is ended, with what it has started."""
        process = self._client._server
        try:
            if process is None or process.returncode is not None:
                return
            started = _children(process.pid)
            try:
                await asyncio.wait_for(self._client.shutdown_async(None), _SECONDS_TO_LEAVE)
                self._client.exit(None)
                await asyncio.wait_for(process.wait(), _SECONDS_TO_LEAVE)
            except (Exception, asyncio.CancelledError):
                for each in (*_children(process.pid), *started):
                    with contextlib.suppress(psutil.Error):
                        each.kill()
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        finally:
            self._client._stop_event.set()
            tasks = [*self._client._async_tasks, *(task for task in (self._gone, self._stderr) if task)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _listen(self) -> None:
        handlers: dict[str, Callable[[Any], Any]] = {
            "llmstep/status": self._status,
            "llmstep/plainGoal": self._goal,
            types.WORKSPACE_INLAY_HINT_REFRESH: _nothing,
            types.WINDOW_LOG_MESSAGE: _nothing,
            types.WINDOW_SHOW_MESSAGE: _nothing,
        }
        for method, handler in handlers.items():
            self._client.feature(method)(functools.partial(handler))  # pygls marks what it is given

    def _status(self, params: Any) -> None:
        self.state = params.state
        self._news.set()

    def _goal(self, params: Any) -> dict[str, Any]:
        goal = self.goals.get(params.textDocument.uri)
        if goal is None:
            raise JsonRpcMethodNotFound("No goal was given for this file.")
        return {"goals": [goal], "rendered": ""}

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        while data := await self.process.stderr.read(4096):
            self._said = (self._said + data)[-4096:]


@contextlib.asynccontextmanager
async def companion(folder: Path, options: Mapping[str, Any]) -> AsyncIterator[Companion]:
    """A companion, which is gone at the end, whatever happens.

    Raises:
        LlmstepError: It does not start.
    """
    made = Companion()
    try:
        await made.start(folder, options)
        yield made
    finally:
        await made.leave()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _nothing(_: Any) -> None:
    pass
