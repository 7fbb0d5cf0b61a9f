"""`/v1/completions`, `/v1/chat/completions` and `/v1/models`: the model for clients of OpenAI's API.

They continue the client's own text, without llmstep's templates, cleaning and cache; see `llmstep.engine.completion`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llmstep.engine.interface import Completion, Written
from llmstep.errors import LlmstepError, ModelNotFoundError
from llmstep.http.answers import OPENAI, RefusedError, openai_error
from llmstep.http.attended import Stream, attend
from llmstep.http.bodies import decoded
from llmstep.http.openai_answers import Form, event
from llmstep.http.openai_requests import OpenAiRequest, decode_openai

if TYPE_CHECKING:
    from starlette.requests import Request

SECONDS_BETWEEN_SIGNS = 5.0
"""A stream says something this often, so that neither side takes the other for dead."""


def openai_routes() -> list[Route]:
    return [
        Route(f"{OPENAI}/completions", partial(_answer, chat=False), methods=["POST"], name="completions"),
        Route(f"{OPENAI}/chat/completions", partial(_answer, chat=True), methods=["POST"], name="chat"),
        Route(f"{OPENAI}/models", _models, methods=["GET"], name="models"),
        Route(f"{OPENAI}/models/{{model:path}}", _model, methods=["GET"], name="model"),
    ]


async def _models(request: Request) -> Response:
    name = request.app.state.engine.status.model  # empty where a server has not told it yet
    return JSONResponse({"object": "list", "data": [_described(name)] if name else []})


async def _model(request: Request) -> Response:
    name = request.app.state.engine.status.model
    if request.path_params["model"] != name:
        code = ModelNotFoundError.code
        hint = f"It has {name}."
        raise RefusedError(404, "This server has no model of that name.", hint=hint, code=code)
    return JSONResponse(_described(name))


def _described(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "llmstep"}


async def _answer(request: Request, *, chat: bool) -> Response:
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
    made = await complete_whole(request, wanted)
    if made is None:
        return Response(status_code=499)  # nobody is there to read it
    return JSONResponse(attrs.evolve(form, model=made.model).whole(made))


async def complete_whole(request: Request, wanted: OpenAiRequest) -> Completion | None:
    """The continuations when all have ended; None when the client goes before.

    Raises:
        LlmstepError: There are none.
    """
    return await attend(request, _complete(request, wanted))


async def _complete(
    request: Request, wanted: OpenAiRequest, on_written: Callable[[int, Written], None] | None = None
) -> Completion:
    """The continuations of all texts, one after the other, in one turn of the client.

    Args:
        on_written: Called with each when it has ended, and how many of all had ended before.
    """
    state = request.app.state
    parts: list[Completion] = []
    async with state.admission.turn(request.state.client):
        for text in wanted.texts:
            before = sum(len(part.written) for part in parts)
            one = on_written and partial(_behind, before, on_written)
            parts.append(await state.engine.complete(text, wanted.sampling, on_written=one))
    written = [each for part in parts for each in part.written]
    made = Completion(written, parts[0].model, sum(part.prompt_tokens for part in parts))
    state.watch.drew(sum(each.drawn for each in written), len(written))
    return made


def _behind(before: int, on_written: Callable[[int, Written], None], number: int, written: Written) -> None:
    """Count a continuation of one text behind those of the texts before."""
    on_written(before + number, written)


class _Events(Stream[Completion, "tuple[int, Written]"]):
    """The answer as events: each sample when it has ended."""

    media_type = "text/event-stream"
    sign = b": waiting\n\n"
    seconds = SECONDS_BETWEEN_SIGNS

    def __init__(self, request: Request, form: Form) -> None:
        super().__init__(
            lambda tell: _complete(request, form.request, lambda *ended: tell(ended)), request.app.state.stopping
        )
        self._form = form

    def news(self, one: tuple[int, Written]) -> bytes:
        return b"".join(map(event, self._form.chunks(*one)))

    def end(self, result: Completion) -> bytes:
        usage = event(self._form.usage(result)) if self._form.request.usage_at_end else b""
        return usage + event("[DONE]")

    def failed(self, error: LlmstepError) -> bytes:
        return event(openai_error(error))
