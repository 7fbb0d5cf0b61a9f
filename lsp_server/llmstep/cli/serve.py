"""`llmstep serve`: the endpoint of the `llmstep` tactic, without an editor."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from llmstep.cli.downloads import agree
from llmstep.cli.flags import MODEL, Given, takes_settings
from llmstep.cli.options import read_token
from llmstep.cli.process import an_app, run
from llmstep.cli.say import say
from llmstep.errors import SettingsError
from llmstep.settings import Settings

if TYPE_CHECKING:
    from llmstep.app import App


_MAX_WAITING = 1000
"""Lines of the access log that wait to be written."""
_SECONDS_TO_END = 1.0
"""For the lines that wait when the server ends."""


@takes_settings(*MODEL, "premise_index", "host", "port")
def serve(
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token that clients must send, or lines of NAME TOKEN; default LLMSTEP_TOKEN."),
    ] = None,
    at_once: Annotated[
        int,
        typer.Option(
            min=0,
            help="Requests that are answered at the same time; 0 means 1 for a model in this process,"
            " 16 for one at a server.",
        ),
    ] = 0,
    *,
    given: Given,
    access_log: Annotated[
        Path | None,
        typer.Option(help="File for a line of JSON about each request, without goals and steps; - is stderr."),
    ] = None,
    drain_seconds: Annotated[
        float,
        typer.Option(
            min=0, help="After SIGTERM, the longest wait for the answers to requests that are being worked on."
        ),
    ] = 25.0,
    preload: Annotated[bool, typer.Option(help="Load the model now, not with the first request.")] = True,
) -> None:
    """Answer the `llmstep` tactic (and LeanCopilot, llmlean) over HTTP until Ctrl-C.

    POST / takes {"tactic_state", "prefix", "context"} and answers
    {"suggestions", "scores", "model", "elapsed_ms"}. POST /generate speaks
    LeanCopilot's protocol for external models, /v1 that of OpenAI's
    completions and chats, /api that of Ollama's. GET /health says what runs,
    /ready whether the model is loaded, /metrics gives numbers to Prometheus,
    /openapi.json describes all of it.

    SIGTERM ends it when what is in work has been answered, Ctrl-C at once.

    Example: llmstep serve --model byt5-small --port 6001 --yes
    """
    settings = given.settings()
    agree(settings, yes=given.yes)
    serving = _Serving(settings, read_token(token_file), at_once, access_log, drain_seconds)
    run(serving.run(preload=preload), status=0, terminated=serving.drain)


@attrs.define
class _Serving:
    """One run of the command."""

    settings: Settings
    token: str | Mapping[str, str] | None
    at_once: int
    access_log: Path | None
    drain_seconds: float
    ending: asyncio.Event | None = None
    """Set by the first SIGTERM, from when the server listens."""

    def drain(self) -> bool:
        """Have the server end when what is in work has been answered; False where nothing is."""
        if self.ending is None or self.drain_seconds <= 0:
            return False
        self.ending.set()
        return True

    async def run(self, *, preload: bool) -> None:
        """Serve until cancelled, or asked to drain."""
        from llmstep.catalog.gguf import is_gguf
        from llmstep.catalog.resolve import resolve
        from llmstep.cli.progress import shown_progress
        from llmstep.http.app import create_app
        from llmstep.http.server import serve as listen
        from llmstep.types import Goal

        settings = self.settings
        if settings.in_process and not is_gguf(settings.model):
            resolve(settings)  # a wrong one is refused before anything is opened
        async with contextlib.AsyncExitStack() as stack:
            log = stack.enter_context(_opened_log(self.access_log))
            app = await stack.enter_async_context(an_app(settings, lean_premises=False))
            web = create_app(
                app.engine,
                settings,
                token=self.token,
                at_once=self.at_once,
                premises=app.premises,
                access_log=log,
            )
            server = await listen(web, settings.http.host, settings.http.port)
            stack.push_async_callback(server.stop)
            if preload:
                with shown_progress() as show:
                    await app.engine.load(progress=show)
                web.state.ready = True
                if app.premises is not None:
                    await app.premises.find(Goal("⊢ True"), None)  # reads index and encoder
            with contextlib.suppress(OSError):  # it serves all the same where nobody can read that
                say(f"llmstep listens at {server.url} with the model {_name(app, loaded=preload)}")
                sys.stdout.flush()
            self.ending = asyncio.Event()
            await _first(server.wait(), self.ending.wait())
            if self.ending.is_set():
                await server.drain(self.drain_seconds)


def _name(app: App, *, loaded: bool) -> str:
    """The model, and the server that has it."""
    from llmstep.catalog.gguf import is_gguf
    from llmstep.catalog.resolve import resolve

    settings, status = app.settings, app.engine.status
    known = loaded or not settings.in_process or is_gguf(settings.model)
    url = status.url or ("" if settings.in_process else settings.remote.url)
    name = status.model if known else resolve(settings).name
    return " ".join([*([name] if name else []), *([f"of {url}"] if url else [])])


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one of several has ended."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def _opened_log(path: Path | None) -> Iterator[Callable[[str], object] | None]:
    """What takes the lines of the access log: a file that grows, stderr (`-`), or nothing.

    A thread writes them; where nobody takes them, lines are lost and the server goes on.
    """
    if path is None:
        yield None
        return
    try:
        file = sys.stderr if str(path) == "-" else path.open("a", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"The access log {path} cannot be written: {error.strerror}.", hint="Give a file in a folder of your own."
        ) from None
    waiting: queue.Queue[str | None] = queue.Queue(_MAX_WAITING)

    def take(line: str | None) -> None:
        with contextlib.suppress(queue.Full):
            waiting.put_nowait(line)

    def write() -> None:
        while (line := waiting.get()) is not None:
            with contextlib.suppress(OSError, ValueError):
                file.write(line + "\n")
                if waiting.empty():
                    file.flush()

    thread = threading.Thread(target=write, name="llmstep-access-log", daemon=True)
    thread.start()
    try:
        yield take
    finally:
        take(None)
        thread.join(_SECONDS_TO_END)
        if file is not sys.stderr and not thread.is_alive():
            file.close()
