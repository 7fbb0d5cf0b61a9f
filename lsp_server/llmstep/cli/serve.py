"""`llmstep serve`: the endpoint of the `llmstep` tactic, without an editor."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from llmstep.cli.engine_flags import EngineFlags, takes_engine
from llmstep.cli.options import (
    CountOption,
    DeviceOption,
    ModelOption,
    PremiseIndexOption,
    TemperatureOption,
    TemplateOption,
    premise_settings,
    read_token,
    settings_with,
)
from llmstep.cli.process import close_soon, run
from llmstep.cli.say import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstep.http.server import HttpServer
    from llmstep.settings import Settings


@takes_engine
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
        Path | None,
        typer.Option(help="File with the token that clients must send, or lines of NAME TOKEN; default LLMSTEP_TOKEN."),
    ] = None,
    at_once: Annotated[
        int,
        typer.Option(min=0, help="Requests in work at a time; 0: one for a model in this process, 16 for a server's."),
    ] = 0,
    count: CountOption = None,
    temperature: TemperatureOption = None,
    *,
    engine: EngineFlags,
    premise_index: PremiseIndexOption = None,
    preload: Annotated[bool, typer.Option(help="Load the model now, not with the first request.")] = True,
) -> None:
    """Answer the `llmstep` tactic (and LeanCopilot, llmlean) over HTTP until Ctrl-C.

    POST / takes {"tactic_state", "prefix", "context"} and answers
    {"suggestions", "scores", "model", "elapsed_ms"}. POST /generate speaks
    LeanCopilot's protocol for external models, /v1 that of OpenAI's
    completions and chats. GET /health says what runs.
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
            **premise_settings(None, premise_index),
            **engine.settings(),
        }
    )
    run(_serve(settings, read_token(token_file), preload=preload, at_once=at_once), status=0)


async def _serve(settings: Settings, token: str | Mapping[str, str] | None, *, preload: bool, at_once: int) -> None:
    """Serve until cancelled."""
    from llmstep.catalog.gguf import is_gguf
    from llmstep.catalog.resolve import resolve
    from llmstep.cli.progress import shown_progress
    from llmstep.engine.switching import SwitchingEngine
    from llmstep.http.app import create_app
    from llmstep.http.server import serve as listen
    from llmstep.premises.asked import premises_for
    from llmstep.types import Goal

    if settings.in_process and not is_gguf(settings.model):
        resolve(settings)  # a wrong one is told before anything is opened
    engine = SwitchingEngine(settings)
    server: HttpServer | None = None
    try:
        premises = premises_for(settings, None)
        app = create_app(engine, settings, token=token, at_once=at_once, premises=premises)
        server = await listen(app, settings.http.host, settings.http.port)
        if preload:
            with shown_progress() as show:
                await engine.load(on_progress=show)
            if premises is not None:
                await premises.find(Goal("⊢ True"), None)  # reads index and encoder
        known = preload or not settings.in_process or is_gguf(settings.model)
        name = engine.status.model if known else resolve(settings).name
        where = f" of {engine.status.url}" if engine.status.url else ""
        say(f"llmstep listens at {server.url} with the model {name}{where}")
        sys.stdout.flush()
        await server.wait()
    finally:
        if server is not None:
            await server.stop()
        await close_soon(engine)
