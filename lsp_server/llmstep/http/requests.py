"""Bodies of requests, read from JSON; everything malformed is a `RequestError` that says what is wrong."""

from __future__ import annotations

import json
from typing import Any

import attrs

from llmstep.errors import RequestError
from llmstep.http.fields import Wrong, decode, field, kind_of, number, part, read_text, text, whole
from llmstep.lean.asking import insertion_point_behind, prompt_input_behind
from llmstep.lean.insertion_point import PLACEHOLDER
from llmstep.premises.source import Whereabouts
from llmstep.strict_json import JsonError, loads
from llmstep.types import Goal, Premise, PromptInput, SamplingParams

MOST_SAMPLES = 256
"""Upper bound of `count`, the same as that of the setting."""

_TACTIC_HINT = 'Send {"tactic_state": "...", "prefix": "...", "context": "..."}.'
_GENERATE_HINT = 'Send {"name": "...", "input": "...", "prefix": "..."}.'
_CANDIDATES_HINT = "Ask with the llmstep of the same version."


@attrs.frozen
class TacticBody:
    """The request of the `llmstep` tactic and of the first llmstep's clients."""

    tactic_state: str = text("The goals as Lean prints them, the main one first.", required=True)
    prefix: str = text("What every step has to begin with.")
    context: str = text("The text of the file before the step; it may be a part of the file, or empty.")
    count: int | None = whole("Number of samples to draw; without it that of the settings.", 1, MOST_SAMPLES)


@attrs.frozen
class GenerateBody:
    """LeanCopilot's request to an external model."""

    name: str = text("The model's name on the side of LeanCopilot; this server has one, so any name is right.")
    input: str = text("The goals as Lean prints them.", required=True)
    prefix: str = text("What every step has to begin with.")


def _wrong_sampling(name: str, _wrong: Wrong) -> RequestError:
    missing = "" if name == "seed" else "missing or "
    return RequestError(f'The "{name}" of the sampling is {missing}out of bounds.', hint=_CANDIDATES_HINT)


@attrs.frozen
class SamplingBody:
    """How candidates are drawn."""

    count: int = whole("Number of samples.", 1, MOST_SAMPLES, required=True)
    temperature: float = number("0 is greedy.", 0, 5, required=True)
    top_p: float = number("Nucleus sampling: total probability of the tokens kept.", 0.01, 1, required=True)
    max_new_tokens: int = whole("Most tokens of a candidate.", 1, 4096, required=True)
    seed: int | None = whole("Makes the samples repeatable.", 0, (1 << 63) - 1)

    def sampling(self) -> SamplingParams:
        return SamplingParams(self.count, self.temperature, self.top_p, self.max_new_tokens, self.seed)


def _read_others(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Wrong("a list of texts", value, said='The field "others" is no list of texts.')
    return tuple(map(read_text, value))


def _read_premises(value: Any) -> tuple[Premise, ...]:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise Wrong("a list", value, said='The field "premises" is no list of pairs of name and code.')
    return tuple(Premise(read_text(name), read_text(code)) for name, code in value)


_PAIR = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}


@attrs.frozen
class CandidatesBody:
    """Another llmstep's request."""

    goal: str = text("The main goal.", required=True)
    others: tuple[str, ...] = field(
        "The other goals.", {"type": "array", "items": {"type": "string"}}, _read_others, default=()
    )
    prefix: str = text("What every candidate has to begin with.")
    context: str = text("The text of the file before the step.")
    declaration: str = text("Full name of the theorem.")
    proof: str = text("The steps so far.")
    premises: tuple[Premise, ...] = field(
        "Names and codes of premises.", {"type": "array", "items": _PAIR}, _read_premises, default=()
    )
    sampling: SamplingBody | None = part("Without it the settings of the server.", SamplingBody, _wrong_sampling)
    model_key: str = text("Which model it has to be; empty takes any.")


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
    read = decode(TacticBody, _object(body, _TACTIC_HINT), _wording(_TACTIC_HINT))
    return SuggestRequest(
        prompt_input_behind(read.context, Goal.from_state(read.tactic_state), read.prefix), read.count
    )


def decode_generate(body: bytes) -> SuggestRequest:
    """LeanCopilot's request to an external model: `{name, input, prefix}`.

    Raises:
        RequestError: The body is no such object.
    """
    read = decode(GenerateBody, _object(body, _GENERATE_HINT), _wording(_GENERATE_HINT))
    return SuggestRequest(PromptInput(Goal.from_state(read.input), prefix=read.prefix))


def decode_candidates(body: bytes) -> CandidatesRequest:
    """The request of another llmstep.

    Raises:
        RequestError: The body is no such object.
    """
    read = decode(CandidatesBody, _object(body, _CANDIDATES_HINT), _wording(_CANDIDATES_HINT))
    ask = PromptInput(
        Goal(read.goal, read.others), read.prefix, read.context, read.declaration, read.proof, read.premises
    )
    return CandidatesRequest(ask, read.sampling.sampling() if read.sampling else None, read.model_key or None)


def _object(body: bytes, hint: str) -> dict[str, Any]:
    try:
        raw = loads(body, lenient=True)
    except JsonError as error:
        raise RequestError(f"The body {error}.", hint=hint) from None
    if not isinstance(raw, dict):
        raise RequestError(f"The body is {kind_of(raw)}, not an object.", hint=hint)
    return raw


def _wording(hint: str) -> Any:
    def word(name: str, wrong: Wrong) -> RequestError:
        if name == "sampling":
            return _wrong_sampling("count", wrong)
        if wrong.said:
            return RequestError(wrong.said, hint=wrong.hint or hint)
        if wrong.wanted == "there":
            return RequestError(f'The field "{name}" is missing or empty.', hint=hint)
        if wrong.wanted == "valid Unicode":
            return RequestError(f'The field "{name}" is not valid Unicode.', hint="Escape whole characters.")
        if wrong.wanted == "a text" or isinstance(wrong.got, (dict, list)):
            end = ", not a text." if wrong.wanted == "a text" else "."
            return RequestError(f'The field "{name}" is {kind_of(wrong.got)}{end}', hint=_must(wrong, hint))
        shown = json.dumps(wrong.got)[:40]
        return RequestError(f'The field "{name}" is {shown}.', hint=_must(wrong, hint))

    return word


def _must(wrong: Wrong, hint: str) -> str:
    return hint if wrong.wanted == "a text" else f"It must be {wrong.wanted}."
