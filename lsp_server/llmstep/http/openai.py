"""`/v1/completions`, `/v1/chat/completions` and `/v1/models`: the model for clients of OpenAI's API.

They continue the client's own text, without llmstep's templates, cleaning and cache; see `llmstep.engine.completion`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llmstep.engine.text import Completion
from llmstep.errors import CancelledError, LlmstepError, ModelNotFoundError
from llmstep.http.answers import RefusedError, unexpected
from llmstep.http.bodies import decoded
from llmstep.http.lines import disconnected
from llmstep.http.openai_answers import PATHS, Form, error_body, event, openai_error
from llmstep.http.openai_requests import OpenAiRequest, decode_openai

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from llmstep.engine.text import Written

SECONDS_BETWEEN_SIGNS = 5.0
"""A stream says something this often, so that neither side takes the other for dead."""

_log = logging.getLogger(__name__)


def openai_routes() -> list[Route]:
    return [
        Route(f"{PATHS}/completions", partial(_answer, chat=False), methods=["POST"], name="completions"),
        Route(f"{PATHS}/chat/completions", partial(_answer, chat=True), methods=["POST"], name="chat"),
        Route(f"{PATHS}/models", _models, methods=["GET"], name="models"),
        Route(f"{PATHS}/models/{{model:path}}", _model, methods=["GET"], name="model"),
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
    work = asyncio.ensure_future(_complete(request, wanted, None))
    stop = asyncio.ensure_future(request.app.state.stopping.wait())
    gone = asyncio.ensure_future(disconnected(request.receive))
    try:
        await asyncio.wait({work, stop, gone}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done() and not work.done():
            return None
        failure = _failure(work)
        if failure is not None:
            raise failure
        return work.result()
    finally:
        await _cancel(work, stop, gone)


async def _complete(request: Request, wanted: OpenAiRequest, told: asyncio.Queue[Any] | None) -> Completion:
    """The continuations of all texts, one after the other, in one turn of the client."""
    state = request.app.state
    parts: list[Completion] = []
    async with state.admission.turn(request.state.client):
        for text in wanted.texts:
            before = sum(len(part.written) for part in parts)

            def tell(number: int, written: Written, before: int = before) -> None:
                assert told is not None
                told.put_nowait((before + number, written))

            parts.append(
                await state.engine.complete(text, wanted.sampling, on_written=tell if told is not None else None)
            )
    written = [each for part in parts for each in part.written]
    made = Completion(written, parts[0].model, sum(part.prompt_tokens for part in parts))
    state.watch.drew(sum(each.drawn for each in written), len(written))
    return made


class _Events(Response):
    """The answer as events: each sample when it has ended. The work is cancelled when the client goes.

    The status waits for the first of them, so that what fails before has a status of its own.
    """

    media_type = "text/event-stream"

    def __init__(self, request: Request, form: Form) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]  # that of an empty body
        self._request = request
        self._form = form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = self._request.app.state
        told: asyncio.Queue[Any] = asyncio.Queue()
        work = asyncio.ensure_future(_complete(self._request, self._form.request, told))
        stop = asyncio.ensure_future(state.stopping.wait())
        gone = asyncio.ensure_future(disconnected(receive))
        for task in (work, stop, gone):
            task.add_done_callback(lambda _: told.put_nowait(None))
        started = False

        async def say(body: bytes, *, more: bool = True) -> None:
            nonlocal started
            if not started:
                started = True
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": body, "more_body": more})

        try:
            while not (stop.done() or gone.done()):
                try:
                    news = await asyncio.wait_for(told.get(), SECONDS_BETWEEN_SIGNS)
                except asyncio.TimeoutError:
                    await say(b": waiting\n\n")
                    continue
                if news is None:
                    break
                for chunk in self._form.chunks(*news):
                    await say(event(chunk))
            if gone.done() and not work.done():
                return
            failure = _failure(work)
            if failure is not None and not started:
                await openai_error(failure, retry_after=state.admission.retry_after)(scope, receive, send)
                return
            if failure is not None:
                await say(event(error_body(failure)), more=False)
                return
            if self._form.request.usage_at_end:
                await say(event(self._form.usage(work.result())))
            await say(event("[DONE]"), more=False)
        finally:
            await _cancel(work, stop, gone)


def _failure(work: asyncio.Future[Completion]) -> LlmstepError | None:
    """Why there is no answer; None where there is one."""
    done = work.done() and not work.cancelled() and work.exception() is None
    return None if done else _ended(work)


def _ended(work: asyncio.Future[Completion]) -> LlmstepError:
    """What is said of work that did not come to its end."""
    if not work.done():
        return CancelledError("The llmstep server is stopping.", hint="Start it again.")
    if work.cancelled():
        return CancelledError("The generation was cancelled.", hint="Ask again.")
    error = work.exception()
    if isinstance(error, LlmstepError):
        return error
    _log.error("llmstep: a request failed", exc_info=error)
    assert error is not None
    return unexpected(error)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
