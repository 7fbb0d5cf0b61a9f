"""`POST /`, `/generate` and `/candidates`: next steps for the tactic, for LeanCopilot and for another llmstep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llmstep.catalog.model_key import ModelKey
from llmstep.engine import wire
from llmstep.engine.interface import Generation
from llmstep.http.answers import RefusedError
from llmstep.http.bodies import decoded, record_of
from llmstep.http.streams import line_stream
from llmstep.lean.asking import insertion_point_behind, prompt_input_at
from llmstep.lean.insertion_point import PLACEHOLDER
from llmstep.premises.source import Whereabouts
from llmstep.progress import ProgressSink, silent
from llmstep.types import Goal, Premise, PromptInput, SamplingParams
from llmstep.wire import http as forms

if TYPE_CHECKING:
    from llmstep.premises.asked import Premises


@attrs.frozen
class SuggestRequest:
    """A request for next steps."""

    ask: PromptInput
    where: Whereabouts | None = None
    """Where the goal stands, as far as the text before it shows; in which file is not known."""
    count: int | None = None
    """Number of samples to draw; None means the setting."""
    sampling: SamplingParams | None = None
    """What another llmstep sets; None means the settings."""
    model_key: str = ""
    """Which model it has to be; empty takes any."""


def decode_tactic(body: bytes) -> SuggestRequest:
    """The request of the `llmstep` tactic; the theorem's name and the proof so far are read off its `context`."""
    read = record_of(forms.TacticBody, body)
    goal = Goal.from_state(read.tactic_state)
    point = insertion_point_behind(read.context)
    if point is None:
        return SuggestRequest(PromptInput(goal, read.prefix, read.context), count=read.count)
    ask = prompt_input_at(read.context, point, goal, read.prefix)
    return SuggestRequest(ask, Whereabouts("", read.context + PLACEHOLDER, point), read.count)


def decode_generate(body: bytes) -> SuggestRequest:
    """LeanCopilot's request to an external model."""
    read = record_of(forms.GenerateBody, body)
    return SuggestRequest(PromptInput(Goal.from_state(read.input), prefix=read.prefix))


def decode_candidates(body: bytes) -> SuggestRequest:
    """The request of another llmstep."""
    read = record_of(forms.CandidatesBody, body)
    premises = tuple(Premise(*pair) for pair in read.premises)
    ask = PromptInput(Goal(read.goal, read.others), read.prefix, read.context, read.declaration, read.proof, premises)
    sampling = SamplingParams(**attrs.asdict(read.sampling)) if read.sampling else None
    return SuggestRequest(ask, sampling=sampling, model_key=read.model_key)


async def tactic(request: Request) -> Response:
    """A `TacticAnswer`: the first llmstep's `{suggestions}`, with scores, model and time."""
    made = await _generated(request, await decoded(request, decode_tactic), request.app.state.premises)
    answer = forms.TacticAnswer(
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
        forms.GeneratedOutput(output=each.text, score=equal if each.score is None else min(1.0, math.exp(each.score)))
        for each in made.candidates
    )
    return JSONResponse(attrs.asdict(forms.GenerateAnswer(outputs=outputs)))


async def candidates(request: Request) -> Response:
    """What another llmstep asks; see `llmstep.engine.wire` for the protocol and its lines."""
    wanted = await decoded(request, decode_candidates)
    state = request.app.state
    if state.settings.engine == "llmstep":
        raise RefusedError(
            409,
            "This llmstep forwards its requests to another one.",
            hint="Send requests to that one directly.",
        )
    if wanted.model_key not in ("", ModelKey.of(state.settings).digest):
        raise RefusedError(409, "This llmstep now uses another model.", hint="Load the model yourself.")
    return line_stream(
        lambda progress: _generated(request, wanted, None, progress),
        lambda made: wire.generation_line(made, state.engine.status.device),
    )


async def _generated(
    request: Request, wanted: SuggestRequest, premises: Premises | None, progress: ProgressSink = silent
) -> Generation:
    """The engine's answer: at once where nothing has to be done for it, else in the client's turn.

    Args:
        premises: Finds premises for the goal; None where the client sends its own.
    """
    state = request.app.state
    ask, sampling = wanted.ask, wanted.sampling
    if ask.goal.solved:
        return Generation([], state.engine.status.model, 0, 0.0)
    if wanted.count is not None:
        sampling = SamplingParams.of(state.settings, wanted.count)
    found = premises.known(ask.goal, wanted.where) if premises else ask.premises
    made: Generation | None = None
    if found is not None:
        made = state.engine.known(attrs.evolve(ask, premises=found), sampling)
    if made is None:
        async with state.admission.turn(request.state.client):
            if premises:
                ask = attrs.evolve(ask, premises=await premises.find(ask.goal, wanted.where))
            made = await state.engine.generate(ask, sampling, progress=progress)
    state.watch.made(made)
    return made
