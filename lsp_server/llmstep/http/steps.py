"""`POST /`, `/generate` and `/candidates`: next steps for the tactic, for LeanCopilot and for another llmstep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
from starlette.responses import JSONResponse, Response

from llmstep.catalog.model_key import ModelKey
from llmstep.engine import wire
from llmstep.engine.interface import Generation
from llmstep.http.answers import RefusedError
from llmstep.http.bodies import aside, decoded
from llmstep.http.requests import SuggestRequest, decode_candidates, decode_generate, decode_tactic, whereabouts
from llmstep.http.streams import Lines
from llmstep.progress import ProgressSink, silent
from llmstep.types import SamplingParams
from llmstep.wire.http import GenerateAnswer, GeneratedOutput, TacticAnswer

if TYPE_CHECKING:
    from starlette.requests import Request

    from llmstep.premises.asked import Premises


async def tactic(request: Request) -> Response:
    """A `TacticAnswer`: the first llmstep's `{suggestions}`, with scores, model and time."""
    made = await _generated(request, await decoded(request, decode_tactic), request.app.state.premises)
    answer = TacticAnswer(
        suggestions=tuple(each.text for each in made.candidates),
        scores=tuple(each.score for each in made.candidates),
        model=made.model,
        elapsed_ms=made.elapsed_ms,
    )
    return JSONResponse(attrs.asdict(answer))


async def generate(request: Request) -> Response:
    """A `GenerateAnswer`, LeanCopilot's form; the score is the geometric mean of the token probabilities.

    LeanCopilot wants a number: where no probability is known, all candidates are taken for equally likely.
    """
    made = await _generated(request, await decoded(request, decode_generate), request.app.state.premises)
    equal = 1 / max(1, len(made.candidates))
    outputs = tuple(
        GeneratedOutput(output=each.text, score=equal if each.score is None else min(1.0, math.exp(each.score)))
        for each in made.candidates
    )
    return JSONResponse(attrs.asdict(GenerateAnswer(outputs=outputs)))


async def candidates(request: Request) -> Response:
    """What another llmstep asks; see `llmstep.engine.wire` for the protocol and its lines.

    Raises:
        RefusedError: This llmstep has no model of its own, or not the one that is wanted.
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

    def last_line(made: Generation) -> dict[str, Any]:
        return wire.generation_line(made, state.engine.status.device)

    return Lines(lambda progress: _generated(request, wanted, None, progress), last_line)


async def _generated(
    request: Request, wanted: SuggestRequest, premises: Premises | None, progress: ProgressSink = silent
) -> Generation:
    """The engine's answer: at once where nothing has to be done for it, else in the client's turn.

    Args:
        premises: Finds premises for the goal; None where the client sends its own.

    Raises:
        LlmstepError: There is none.
    """
    state = request.app.state
    ask, sampling = wanted.ask, wanted.sampling
    if ask.goal.solved:
        return Generation([], state.engine.status.model, 0, 0.0)
    if wanted.count is not None:
        sampling = SamplingParams.of(state.settings, wanted.count)
    where = await aside(lambda: whereabouts(ask), len(ask.context)) if premises else None
    found = premises.known(ask.goal, where) if premises else ask.premises
    made: Generation | None = None
    if found is not None:
        made = state.engine.known(attrs.evolve(ask, premises=found), sampling)
    if made is None:
        async with state.admission.turn(request.state.client):
            if premises:
                ask = attrs.evolve(ask, premises=await premises.find(ask.goal, where))
            made = await state.engine.generate(ask, sampling, progress=progress)
    state.watch.made(made)
    return made
