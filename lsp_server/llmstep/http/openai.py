"""`/v1/completions`, `/v1/chat/completions` and `/v1/models`: the model for clients of OpenAI's API.

They continue the client's own text, without llmstep's templates, cleaning and cache; see `llmstep.engine.completion`.
"""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llmstep.engine.interface import Completion, Written
from llmstep.errors import ModelNotFoundError
from llmstep.http.answers import RefusedError, openai_error
from llmstep.http.bodies import decoded
from llmstep.http.openai_requests import OpenAiRequest, decode_openai
from llmstep.http.streams import Say, Stream

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
    state = request.app.state
    top_p = state.settings.top_p
    wanted = await decoded(request, lambda body: decode_openai(body, chat=chat, top_p=top_p))
    kind = "chatcmpl" if chat else "cmpl"
    form = Form(wanted, f"{kind}-{secrets.token_hex(12)}", int(time.time()), state.engine.status.model)
    if wanted.stream:
        return _stream(request, form)
    made = await complete(request, wanted)
    return JSONResponse(attrs.evolve(form, model=made.model).whole(made))


async def complete(
    request: Request, wanted: OpenAiRequest, on_written: Callable[[int, Written], None] = lambda *_: None
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

            def tell(number: int, one: Written, before: int = before) -> None:
                on_written(before + number, one)

            parts.append(await state.engine.complete(text, wanted.sampling, on_written=tell))
    written = [each for part in parts for each in part.written]
    made = Completion(written, parts[0].model, sum(part.prompt_tokens for part in parts))
    state.watch.drew(sum(each.drawn for each in written), len(written))
    return made


def _stream(request: Request, form: Form) -> Stream:
    """The answer as events: each sample when it has ended."""

    async def said(say: Say) -> bytes:
        made = await complete(request, form.request, lambda number, one: say(form.events(number, one)))
        usage = event(form.body([], made, chunk=True)) if form.request.usage_at_end else b""
        return usage + event("[DONE]")

    return Stream(
        said,
        failed=lambda error: event(openai_error(error)),
        sign=b": waiting\n\n",
        seconds=SECONDS_BETWEEN_SIGNS,
        media_type="text/event-stream",
    )


@attrs.frozen
class Form:
    """The form of the answers to one request."""

    request: OpenAiRequest
    id: str
    created: int
    model: str

    def whole(self, made: Completion) -> dict[str, Any]:
        """The answer in one piece."""
        part = "message" if self.request.chat else "text"
        return self.body([self._choice(number, part, each) for number, each in enumerate(made.written)], made)

    def events(self, number: int, written: Written) -> bytes:
        """Those of a sample, which comes in one piece; in a chat its role comes before it."""
        choices = [self._choice(number, "delta" if self.request.chat else "text", written)]
        if self.request.chat:
            [choice] = choices
            nothing = {**choice, "logprobs": None, "finish_reason": None}
            role = {**nothing, "delta": {"role": "assistant", "content": ""}}
            end = {**nothing, "delta": {}, "finish_reason": written.finish}
            choices = [role, {**choice, "finish_reason": None}, end]
        return b"".join(event(self.body([each], chunk=True)) for each in choices)

    def body(
        self, choices: list[dict[str, Any]], made: Completion | None = None, *, chunk: bool = False
    ) -> dict[str, Any]:
        """An answer or an event, which counts the tokens of `made`."""
        kind = "text_completion"
        if self.request.chat:
            kind = "chat.completion.chunk" if chunk else "chat.completion"
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}
        if made is None:
            return head
        drawn = sum(each.drawn for each in made.written)
        total = made.prompt_tokens + drawn
        usage = {"prompt_tokens": made.prompt_tokens, "completion_tokens": drawn, "total_tokens": total}
        return {**head, "usage": usage}

    def _choice(self, number: int, part: str, written: Written) -> dict[str, Any]:
        content: dict[str, Any] = {"content": written.text}
        if part == "message":
            content = {"role": "assistant", "content": written.text, "refusal": None}
        said = written.text if part == "text" else content
        logprobs = self._logprobs(written) if self.request.logprobs else None
        return {"index": number, part: said, "logprobs": logprobs, "finish_reason": written.finish}

    def _logprobs(self, written: Written) -> dict[str, Any]:
        if self.request.chat:
            content = [
                {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []}
                for text, logprob in written.tokens
            ]
            return {"content": content, "refusal": None}
        texts = [text for text, _ in written.tokens]
        return {
            "tokens": texts,
            "token_logprobs": [logprob for _, logprob in written.tokens],
            "top_logprobs": None,
            "text_offset": list(itertools.accumulate(map(len, texts), initial=0))[:-1],
        }


def event(content: dict[str, Any] | str) -> bytes:
    """One event of a stream."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"data: {text}\n\n".encode()
