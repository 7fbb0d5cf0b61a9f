"""`/v1/completions`, `/v1/chat/completions` and `/v1/models`: the model for clients of OpenAI's API.

They continue the client's own text, without llmstep's templates, cleaning and cache; see `llmstep.engine.completion`.
"""

from __future__ import annotations

import json
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


@attrs.frozen
class Form:
    """The form of the answers to one request."""

    request: OpenAiRequest
    id: str
    created: int
    model: str

    def whole(self, made: Completion) -> dict[str, Any]:
        """The answer in one piece."""
        kind = "chat.completion" if self.request.chat else "text_completion"
        choices = [self._choice(number, each, streamed=False) for number, each in enumerate(made.written)]
        return {**self._head(kind), "choices": choices, "usage": self._usage(made)}

    def chunks(self, number: int, written: Written) -> list[dict[str, Any]]:
        """The events for a sample, which comes in one piece; in a chat its role comes before it."""
        kind = "chat.completion.chunk" if self.request.chat else "text_completion"
        choice = self._choice(number, written, streamed=True)
        if not self.request.chat:
            return [{**self._head(kind), "choices": [choice]}]
        role = {"index": number, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
        end = {"index": number, "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}
        parts = [role, {**choice, "finish_reason": None}, end]
        return [{**self._head(kind), "choices": [part]} for part in parts]

    def usage(self, made: Completion) -> dict[str, Any]:
        """The event with the numbers of tokens."""
        kind = "chat.completion.chunk" if self.request.chat else "text_completion"
        return {**self._head(kind), "choices": [], "usage": self._usage(made)}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _usage(self, made: Completion) -> dict[str, int]:
        drawn = sum(each.drawn for each in made.written)
        return {
            "prompt_tokens": made.prompt_tokens,
            "completion_tokens": drawn,
            "total_tokens": made.prompt_tokens + drawn,
        }

    def _choice(self, number: int, written: Written, *, streamed: bool) -> dict[str, Any]:
        said: dict[str, Any]
        if not self.request.chat:
            said = {"text": written.text}
        elif streamed:
            said = {"delta": {"content": written.text}}
        else:
            said = {"message": {"role": "assistant", "content": written.text, "refusal": None}}
        logprobs = self._logprobs(written) if self.request.logprobs else None
        return {"index": number, **said, "logprobs": logprobs, "finish_reason": written.finish}

    def _logprobs(self, written: Written) -> dict[str, Any]:
        if self.request.chat:
            content = [
                {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []}
                for text, logprob in written.tokens
            ]
            return {"content": content, "refusal": None}
        offsets = []
        place = 0
        for text, _ in written.tokens:
            offsets.append(place)
            place += len(text)
        return {
            "tokens": [text for text, _ in written.tokens],
            "token_logprobs": [logprob for _, logprob in written.tokens],
            "top_logprobs": None,
            "text_offset": offsets,
        }


def event(content: dict[str, Any] | str) -> bytes:
    """One event of a stream."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"data: {text}\n\n".encode()
