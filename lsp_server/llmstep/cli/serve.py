"""`llmstep serve`: the endpoint of the `llmstep` tactic, without an editor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from llmstep.cli.options import (
    CountOption,
    DeviceOption,
    ModelOption,
    TemperatureOption,
    TemplateOption,
    read_token,
    settings_with,
)

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from llmstep.engine.engine import Engine
    from llmstep.http.server import HttpServer
    from llmstep.settings import Settings

_SECONDS_TO_CLOSE = 1.0


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen at; any but this machine's own wants a token.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen at, 0 for any free one; default LLMSTEP_PORT, else 6000.")
    ] = None,
    model: ModelOption = None,
    template: TemplateOption = None,
    device: DeviceOption = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token that clients must send; default LLMSTEP_TOKEN.")
    ] = None,
    count: CountOption = None,
    temperature: TemperatureOption = None,
    preload: Annotated[bool, typer.Option(help="Load the model now, not with the first request.")] = True,
) -> None:
    """Answer the `llmstep` tactic (and LeanCopilot) over HTTP until Ctrl-C.

    POST / takes {"tactic_state", "prefix", "context"} and answers
    {"suggestions", "scores", "model", "elapsed_ms"}. POST /generate speaks
    LeanCopilot's protocol for external models. GET /health says what runs.
    """
    settings = settings_with(
        {
            "http.host": host,
            "http.port": port,
            "model": model,
            "template": template,
            "device": device,
            "count": count,
            "temperature": temperature,
        }
    )
    token = read_token(token_file)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_serve(settings, token, preload=preload))
    finally:
        loop.close()  # does not wait for threads, unlike asyncio.run
    # Not through the interpreter's own end: that waits for threads, and a library call may be in one for long.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _serve(settings: Settings, token: str | None, *, preload: bool) -> None:
    from llmstep.catalog.resolve import resolve
    from llmstep.engine.engine import Engine
    from llmstep.http.app import create_app
    from llmstep.http.server import serve as listen

    stopped = _stop_signal()
    name = resolve(settings).name  # a wrong one is told before anything is opened
    engine = Engine(settings)
    server: HttpServer | None = None
    try:
        app: Starlette = create_app(engine, settings, token=token)
        server = await listen(app, settings.http.host, settings.http.port)
        if preload:
            if not await _load(engine, stopped):
                return
            name = engine.status.model  # what `auto` means on this device
        typer.echo(f"llmstep listens at {server.url} with the model {name}")
        sys.stdout.flush()
        await stopped.wait()
    finally:
        if server is not None:
            await server.stop()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(engine.close(), _SECONDS_TO_CLOSE)


async def _load(engine: Engine, stopped: asyncio.Event) -> bool:
    """Load the model with a progress bar; False when the user ended it.

    Raises:
        ModelError: It cannot be loaded.
    """
    from llmstep.cli.progress import shown_progress

    with shown_progress() as show:
        load = asyncio.ensure_future(engine.load(on_progress=show))
        stop = asyncio.ensure_future(stopped.wait())
        try:
            await asyncio.wait({load, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not load.done():
                return False
            load.result()
            return True
        finally:
            load.cancel()
            stop.cancel()


def _stop_signal() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopped.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    return stopped
