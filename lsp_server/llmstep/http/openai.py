"""`/v1/completions`, `/v1/chat/completions` and `/v1/models`: the model for clients of OpenAI's API.

They continue the client's own text, without llmstep's templates, cleaning and cache; see `llmstep.engine.completion`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
from starlette.responses import JSONResponse, Response

from llmstep.engine.interface import Completion, Written
from llmstep.errors import LlmstepError, ModelNotFoundError
from llmstep.http.answers import RefusedError, openai_error
from llmstep.http.bodies import decoded
from llmstep.http.openai_answers import Form, event
from llmstep.http.openai_requests import OpenAiRequest, decode_openai
from llmstep.http.streams import Stream

if TYPE_CHECKING:
    from starlette.requests import Request

SECONDS_BETWEEN_SIGNS = 5.0
"""A stream says something this often, so that neither side takes the other for dead."""


async def models(request: Request) -> Response:
    name = request.app.state.engine.status.model  # empty where a server has not told it yet
    return JSONResponse({"object": "list", "data": [_described(name)] if name else []})


async def model(request: Request) -> Response:
    name = request.app.state.engine.status.model
    if request.path_params["model"] != name:
        code = ModelNotFoundError.code
        hint = f"It has {name}."
        raise RefusedError(404, "This server has no model of that name.", hint=hint, code=code)
    return JSONResponse(_described(name))


def _described(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "llmstep"}


async def completions(request: Request, *, chat: bool = False) -> Response:
    """
    Raises:
        LlmstepError: There is no answer. The application gives it the shape that the clients of this page read.
    """
    state = request.app.state
    top_p = state.settings.top_p
    wanted = await decoded(request, lambda body: decode_openai(body, chat=chat, top_p=top_p))
    kind = "chatcmpl" if chat else "cmpl"
    form = Form(wanted, f"{kind}-{secrets.token_hex(12)}", int(time.time()), state.engine.status.model)
    if wanted.stream:
        return _Events(request, form)
    made = await complete(request, wanted)
    return JSONResponse(attrs.evolve(form, model=made.model).whole(made))


async def complete(
    request: Request, wanted: OpenAiRequest, on_written: Callable[[int, Written], None] = lambda *_: None
) -> Completion:
    """The continuations of all texts, one after the other, in one turn of the client.

    Args:
        on_written: Called with each when it has ended, and how many of all had ended before.

    Raises:
        LlmstepError: There are none.
    """
    state = request.app.state
    parts: list[Completion] = []
    async with state.admission.turn(request.state.client):
        for text in wanted.texts:
            before = sum(len(part.written) for part in parts)

            def tell(number: int, one: Written, before: int = before) -> None:
                on_written(before + number, one)

            parts.append(await state.engine.complete(text, wanted.sampling, on_written=tell))
    written = [each for part in parts for each in part.written]
    made = Completion(written, parts[0].model, sum(part.prompt_tokens for part in parts))
    state.watch.drew(sum(each.drawn for each in written), len(written))
    return made


class _Events(Stream[Completion, "tuple[int, Written]"]):
    """The answer as events: each sample when it has ended."""

    media_type = "text/event-stream"
    sign = b": waiting\n\n"
    seconds = SECONDS_BETWEEN_SIGNS

    def __init__(self, request: Request, form: Form) -> None:
        super().__init__(lambda tell: complete(request, form.request, lambda *ended: tell(ended)))
        self._form = form

    def news(self, one: tuple[int, Written]) -> bytes:
        return b"".join(map(event, self._form.chunks(*one)))

    def end(self, result: Completion) -> bytes:
        usage = event(self._form.usage(result)) if self._form.request.usage_at_end else b""
        return usage + event("[DONE]")

    def failed(self, error: LlmstepError) -> bytes:
        return event(openai_error(error))
