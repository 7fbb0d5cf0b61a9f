"""Bodies of requests, read from JSON; everything malformed is a `RequestError` that says what is wrong."""

from __future__ import annotations

import attrs

from llmstep.http.bodies import json_object
from llmstep.lean.asking import insertion_point_behind, prompt_input_behind
from llmstep.lean.insertion_point import PLACEHOLDER
from llmstep.premises.source import Whereabouts
from llmstep.types import Goal, Premise, PromptInput, SamplingParams
from llmstep.wire.http import CandidatesBody, GenerateBody, TacticBody
from llmstep.wire.reading import BODIES, field_error


@attrs.frozen
class SuggestRequest:
    """A request for next steps."""

    ask: PromptInput
    count: int | None = None
    """Number of samples to draw; None means the setting."""
    sampling: SamplingParams | None = None
    """What another llmstep sets; None means the settings."""
    model_key: str | None = None
    """Which model it has to be; None takes any."""


def whereabouts(ask: PromptInput) -> Whereabouts | None:
    """Where a goal stands, as far as the text before it shows; in which file is not known."""
    point = insertion_point_behind(ask.context)
    return Whereabouts("", ask.context + PLACEHOLDER, point) if point else None


def decode_tactic(body: bytes) -> SuggestRequest:
    """The request of the `llmstep` tactic: `{tactic_state, prefix, context}`, and `count` where given.

    The theorem's name and the proof so far are those that stand at the end of `context`.

    Raises:
        RequestError: The body is no such object.
    """
    read = BODIES.read(TacticBody, json_object(body), field_error)
    ask = prompt_input_behind(read.context, Goal.from_state(read.tactic_state), read.prefix)
    return SuggestRequest(ask, read.count)


def decode_generate(body: bytes) -> SuggestRequest:
    """LeanCopilot's request to an external model: `{name, input, prefix}`.

    Raises:
        RequestError: The body is no such object.
    """
    read = BODIES.read(GenerateBody, json_object(body), field_error)
    return SuggestRequest(PromptInput(Goal.from_state(read.input), prefix=read.prefix))


def decode_candidates(body: bytes) -> SuggestRequest:
    """The request of another llmstep.

    Raises:
        RequestError: The body is no such object.
    """
    read = BODIES.read(CandidatesBody, json_object(body), field_error)
    premises = tuple(Premise(*pair) for pair in read.premises)
    ask = PromptInput(Goal(read.goal, read.others), read.prefix, read.context, read.declaration, read.proof, premises)
    sampling = SamplingParams(**attrs.asdict(read.sampling)) if read.sampling else None
    return SuggestRequest(ask, sampling=sampling, model_key=read.model_key or None)
