"""`/api/generate`, `/api/chat` and `/api/tags`: the model for clients of Ollama, llmlean's default among them.

They continue the client's own text, as the pages of OpenAI's API do. Like Ollama itself, they cut a text that is too
long from its front.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llmstep import __version__
from llmstep.engine.interface import Completion, Text
from llmstep.http.answers import OLLAMA
from llmstep.http.bodies import decoded, json_object
from llmstep.http.openai import complete_whole
from llmstep.http.openai_requests import (
    MAX_TOKENS,
    FieldError,
    Messages,
    OpenAiRequest,
    Stops,
    Temperature,
    TopP,
    wording,
)
from llmstep.types import SamplingParams
from llmstep.wire.bounds import Number
from llmstep.wire.reading import BODIES
from llmstep.wire.requests import Seed

if TYPE_CHECKING:
    from starlette.requests import Request


@attrs.frozen(kw_only=True)
class Options:
    """How the text is drawn."""

    temperature: Temperature = 0.8
    """0 is greedy."""
    top_p: TopP = 0.9
    """Nucleus sampling: total probability of the tokens kept."""
    num_predict: Annotated[int, Number(-2, 1 << 30)] = -1
    """Most tokens; -1 and -2 are as many as there is room for."""
    seed: Seed | None = None
    """Makes the answer repeatable."""
    stop: Stops = ()
    """Texts that end the answer."""


@attrs.frozen(kw_only=True)
class OllamaGenerateBody:
    """A text to be continued."""

    prompt: str = ""
    """The text."""
    system: str = ""
    """Comes before the text."""
    stream: bool = True
    """Answer in lines: the text, and the end."""
    options: Options | None = None
    """How the text is drawn."""


@attrs.frozen(kw_only=True)
class OllamaChatBody:
    """A chat to be continued."""

    messages: Messages
    """What was said so far."""
    stream: bool = True
    """Answer in lines: the text, and the end."""
    options: Options | None = None
    """How the text is drawn."""


def ollama_routes() -> list[Route]:
    return [
        Route(f"{OLLAMA}/generate", partial(_answer, chat=False), methods=["POST"], name="ollama_generate"),
        Route(f"{OLLAMA}/chat", partial(_answer, chat=True), methods=["POST"], name="ollama_chat"),
        Route(f"{OLLAMA}/tags", _tags, methods=["GET"], name="ollama_tags"),
        Route(f"{OLLAMA}/version", _version, methods=["GET"], name="ollama_version"),
    ]


async def _tags(request: Request) -> Response:
    name = request.app.state.engine.status.model
    described = {"name": name, "model": name, "details": {"family": "llmstep"}}
    return JSONResponse({"models": [described] if name else []})


async def _version(_request: Request) -> Response:
    return JSONResponse({"version": __version__})


async def _answer(request: Request, *, chat: bool) -> Response:
    """
    Raises:
        LlmstepError: See the OpenAI API's.
    """
    wanted = await decoded(request, lambda body: decode_ollama(body, chat=chat))
    made = await complete_whole(request, wanted)
    return Response(status_code=499) if made is None else _answered(made, wanted)


def decode_ollama(body: bytes, *, chat: bool) -> OpenAiRequest:
    """
    Args:
        chat: Whether it came to `/api/chat`.

    Raises:
        FieldError: It is malformed, or asks for what this server does not do.
    """
    raw = json_object(body)
    for name in ("images", "tools", "suffix"):
        if raw.get(name):
            raise FieldError(name, f"This server does not know {name}.", hint="Leave it out.")
    if raw.get("format") not in (None, ""):
        raise FieldError("format", "This server answers plain text only.", hint="Leave format out.")
    read: Any = BODIES.read(OllamaChatBody if chat else OllamaGenerateBody, raw, wording)
    options = read.options or Options()
    if chat:
        continued = Text(messages=read.messages, stops=options.stop, cut=True)
    else:
        prompt = f"{read.system}\n{read.prompt}" if read.system else read.prompt
        continued = Text(prompt, stops=options.stop, cut=True)
    limit = MAX_TOKENS if options.num_predict <= 0 else min(options.num_predict, MAX_TOKENS)
    sampling = SamplingParams(1, options.temperature, options.top_p, limit, options.seed)
    return OpenAiRequest((continued,), sampling, chat, read.stream, logprobs=False)


def _answered(made: Completion, wanted: OpenAiRequest) -> Response:
    written = made.written[0]
    now = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
    head = {"model": made.model, "created_at": now}
    end = {
        "done": True,
        "done_reason": written.finish,
        "prompt_eval_count": made.prompt_tokens,
        "eval_count": written.drawn,
    }

    def said(content: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": content}} if wanted.chat else {"response": content}

    if not wanted.stream:
        return JSONResponse({**head, **said(written.text), **end})
    lines = [{**head, **said(written.text), "done": False}, {**head, **said(""), **end}]
    body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return Response(body, media_type="application/x-ndjson")
