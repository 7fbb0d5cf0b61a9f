"""Bodies of requests, read from JSON; everything malformed is a `RequestError` that says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable

import attrs

from llmstep.errors import RequestError
from llmstep.http.bodies import json_object
from llmstep.lean.asking import insertion_point_behind, prompt_input_behind
from llmstep.lean.insertion_point import PLACEHOLDER
from llmstep.premises.source import Whereabouts
from llmstep.types import Goal, Premise, PromptInput, SamplingParams
from llmstep.wire.bounds import WrongValue
from llmstep.wire.reading import BODIES, MISSING
from llmstep.wire.requests import CandidatesBody, GenerateBody, TacticBody
from llmstep.wire.values import kind_of

_TACTIC_HINT = 'Send {"tactic_state": "...", "prefix": "...", "context": "..."}.'
_GENERATE_HINT = 'Send {"name": "...", "input": "...", "prefix": "..."}.'
_CANDIDATES_HINT = "Ask with the llmstep of the same version."


@attrs.frozen
class SuggestRequest:
    """A request for next steps."""

    ask: PromptInput
    count: int | None = None
    """Number of samples to draw; None means the setting."""


@attrs.frozen
class CandidatesRequest:
    """Another llmstep's request."""

    ask: PromptInput
    sampling: SamplingParams | None = None
    """None means the settings."""
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
    read = BODIES.read(TacticBody, json_object(body, _TACTIC_HINT), _wording(_TACTIC_HINT))
    return SuggestRequest(
        prompt_input_behind(read.context, Goal.from_state(read.tactic_state), read.prefix), read.count
    )


def decode_generate(body: bytes) -> SuggestRequest:
    """LeanCopilot's request to an external model: `{name, input, prefix}`.

    Raises:
        RequestError: The body is no such object.
    """
    read = BODIES.read(GenerateBody, json_object(body, _GENERATE_HINT), _wording(_GENERATE_HINT))
    return SuggestRequest(PromptInput(Goal.from_state(read.input), prefix=read.prefix))


def decode_candidates(body: bytes) -> CandidatesRequest:
    """The request of another llmstep.

    Raises:
        RequestError: The body is no such object.
    """
    read = BODIES.read(CandidatesBody, json_object(body, _CANDIDATES_HINT), _wording(_CANDIDATES_HINT))
    premises = tuple(Premise(*pair) for pair in read.premises)
    ask = PromptInput(Goal(read.goal, read.others), read.prefix, read.context, read.declaration, read.proof, premises)
    sampling = SamplingParams(**attrs.asdict(read.sampling)) if read.sampling else None
    return CandidatesRequest(ask, sampling, read.model_key or None)


def _wording(hint: str) -> Callable[[str, WrongValue], RequestError]:
    def word(name: str, wrong: WrongValue) -> RequestError:
        blank = isinstance(wrong.got, str) and not wrong.got.strip() and wrong.wanted.endswith("not blank")
        if wrong.wanted == MISSING or blank:
            return RequestError(f'The field "{name}" is missing or empty.', hint=hint)
        if wrong.wanted == "valid Unicode":
            return RequestError(f'The field "{name}" is not valid Unicode.', hint="Escape whole characters.")
        if wrong.wanted.startswith("a text"):
            return RequestError(f'The field "{name}" is {kind_of(wrong.got)}, not a text.', hint=hint)
        got = kind_of(wrong.got) if isinstance(wrong.got, (dict, list)) else json.dumps(wrong.got)[:40]
        return RequestError(f'The field "{name}" is {got}.', hint=f"It must be {wrong.wanted}.")

    return word
