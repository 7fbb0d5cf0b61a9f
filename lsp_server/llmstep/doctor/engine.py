"""Where the model runs, and whether a server that is to run it answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llmstep.doctor.finding import Finding
from llmstep.errors import LlmstepError

if TYPE_CHECKING:
    from llmstep.settings import Settings


def engine(settings: Settings) -> Finding:
    """The engine of the settings; a server is asked for its models, and not for a step."""
    details: dict[str, Any] = {"engine": settings.engine, "url": settings.remote.url}
    if settings.engine == "inProcess":
        return Finding("engine", "ok", "the model runs in llmstep itself", details=details)
    try:
        model, template = asyncio.run(_look(settings))
    except LlmstepError as error:
        return Finding("engine", "missing", error.message[:-1], error.hint, details)
    kind = "another llmstep" if settings.engine == "llmstep" else "an OpenAI-compatible server"
    text = f"{kind} at {settings.remote.url} answers; model {model}"
    if template:
        text += f", template {template}"
    return Finding("engine", "ok", text, details=details | {"model": model, "template": template})


async def _look(settings: Settings) -> tuple[str, str | None]:
    """The model of the server, and the template that it is asked with where that is chosen here."""
    if settings.engine == "llmstep":
        from llmstep.engine.remote.llmstep import LlmstepEngine

        other = LlmstepEngine(settings)
        try:
            return await other.load(), None
        finally:
            await other.close()
    from llmstep.engine.remote.openai import OpenAiEngine
    from llmstep.engine.remote.questions import template_of

    made = OpenAiEngine(settings)
    try:
        model = await made.load()
        return model, template_of(settings, model).name
    finally:
        await made.close()
