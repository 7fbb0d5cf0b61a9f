"""`/api/generate`, `/api/chat` and `/api/tags`: the model for clients of Ollama, llmlean's default among them.

They continue the client's own text, as the pages of OpenAI's API do. Like Ollama itself, they cut a text that is too
long from its front.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from starlette.responses import JSONResponse, Response

from llmstep import __version__
from llmstep.engine.interface import Completion, Text
from llmstep.http.bodies import decoded, json_object
from llmstep.http.openai import complete
from llmstep.http.openai_requests import (
    MAX_TOKENS,
    Messages,
    OpenAiRequest,
    Stops,
    Temperature,
    TopP,
    refuse,
    stops_of,
    turns,
    with_contents,
)
from llmstep.types import SamplingParams
from llmstep.wire.bounds import number
from llmstep.wire.http import Seed
from llmstep.wire.reading import BODIES, FieldError, field_error

if TYPE_CHECKING:
    from starlette.requests import Request


@attrs.frozen(kw_only=True)
class Options:
    """How the text is drawn."""

    temperature: Temperature = 0.8
    """0 is greedy."""
    top_p: TopP = 0.9
    """Nucleus sampling: total probability of the tokens kept."""
    num_predict: Annotated[int, number(-2, 1 << 30)] = -1
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


async def tags(request: Request) -> Response:
    """The one model."""
    name = request.app.state.engine.status.model
    described = {"name": name, "model": name, "details": {"family": "llmstep"}}
    return JSONResponse({"models": [described] if name else []})


async def version(_request: Request) -> Response:
    """That of llmstep."""
    return JSONResponse({"version": __version__})


async def generate(request: Request, *, chat: bool = False) -> Response:
    """
    Raises:
        LlmstepError: See the OpenAI API's.
    """
    wanted = await decoded(request, lambda body: decode_ollama(body, chat=chat))
    return _answered(await complete(request, wanted), wanted)


def decode_ollama(body: bytes, *, chat: bool) -> OpenAiRequest:
    """
    Args:
        chat: Whether it came to `/api/chat`.

    Raises:
        FieldError: It is malformed, or asks for what this server does not do.
    """
    raw = json_object(body)
    refuse(raw, ("images", "tools", "suffix"))
    if raw.get("format") not in (None, ""):
        raise FieldError("format", "This server answers plain text only.", hint="Leave format out.")
    read: OllamaChatBody | OllamaGenerateBody
    if chat:
        read = BODIES.read(OllamaChatBody, with_contents(raw), field_error)
        continued = Text(messages=turns(read.messages))
    else:
        read = BODIES.read(OllamaGenerateBody, raw, field_error)
        continued = Text(f"{read.system}\n{read.prompt}" if read.system else read.prompt)
    options = read.options or Options()
    continued = attrs.evolve(continued, stops=stops_of(options.stop), cut=True)
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
