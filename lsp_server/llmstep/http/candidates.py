"""`POST /candidates`: what another llmstep asks; see `llmstep.engine.wire` for the protocol and its lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from llmstep.catalog.model_key import ModelKey
from llmstep.engine import wire
from llmstep.engine.interface import Generation
from llmstep.errors import BusyError, LlmstepError
from llmstep.http.answers import RefusedError
from llmstep.http.attended import Stream
from llmstep.http.bodies import decoded
from llmstep.http.requests import decode_candidates
from llmstep.progress import Progress, ProgressSink

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

T = TypeVar("T")


async def candidates(request: Request) -> Response:
    """The endpoint.

    Raises:
        RefusedError: This llmstep has no model of its own, or not the one that is wanted.
        RequestError: The body is malformed.
    """
    wanted = await decoded(request, decode_candidates)
    state = request.app.state
    if state.settings.engine == "llmstep":
        raise RefusedError(
            409,
            "This llmstep forwards its requests to another one.",
            hint="Send requests to that one directly.",
        )
    if wanted.model_key is not None and wanted.model_key != ModelKey.of(state.settings).digest:
        raise RefusedError(409, "This llmstep now uses another model.", hint="Load the model yourself.")

    async def work(progress: ProgressSink) -> Generation:
        if wanted.ask.goal.solved:
            return Generation([], state.engine.status.model, 0, 0.0)
        known: Generation | None = state.engine.known(wanted.ask, wanted.sampling)
        if known is not None:
            return known
        async with state.admission.turn(request.state.client):
            made: Generation = await state.engine.generate(wanted.ask, wanted.sampling, progress=progress)
            state.watch.made(made)
            return made

    return Lines(work, lambda made: wire.generation_line(made, state.engine.status.device), state.stopping)


class Lines(Stream[T, "Progress"]):
    """An answer in lines of JSON.

    Args:
        work: Is given a function that takes its progress.
        last_line: The last line for what the work returns.
        stopping: Set when the server stops.
    """

    media_type = "application/x-ndjson"
    sign = b"{}\n"
    seconds = wire.SECONDS_BETWEEN_SIGNS
    begins_at_once = True

    def __init__(
        self,
        work: Callable[[ProgressSink], Coroutine[Any, Any, T]],
        last_line: Callable[[T], dict[str, Any]],
        stopping: asyncio.Event,
    ) -> None:
        super().__init__(work, stopping)
        self._last_line = last_line

    def news(self, one: Progress) -> bytes:
        return _line(wire.progress_line(one))

    def end(self, result: T) -> bytes:
        return _line(self._last_line(result))

    def failed(self, error: LlmstepError) -> bytes:
        refused = isinstance(error, RefusedError)  # by the queue
        return _line(wire.error_line(BusyError(error.message, hint=error.hint) if refused else error))


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
