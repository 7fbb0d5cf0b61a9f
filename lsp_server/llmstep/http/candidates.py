"""`POST /candidates`: what another llmstep asks; see `llmstep.engine.wire` for the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstep.catalog.model_key import ModelKey
from llmstep.engine import wire
from llmstep.engine.interface import Generation
from llmstep.http.answers import RefusedError
from llmstep.http.bodies import decoded
from llmstep.http.lines import Lines
from llmstep.http.requests import decode_candidates

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from llmstep.progress import ProgressSink


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
            hint="Ask that one directly; chains could end in a circle.",
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

    def last_line(generation: Generation) -> dict[str, Any]:
        return wire.generation_line(generation, state.engine.status.device)

    return Lines(work, last_line, state.stopping)
