"""Bodies of requests, read from JSON; everything malformed is a `RequestError` that says what is wrong.

Unknown fields are ignored, so that clients newer than this server still get an answer.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.errors import RequestError
from llmstep.http.answers import RefusedError
from llmstep.lean.asking import ask_behind, site_behind
from llmstep.lean.place import PLACEHOLDER
from llmstep.premises.source import Whereabouts
from llmstep.types import Ask, Goal, Premise, Sampling

if TYPE_CHECKING:
    from starlette.requests import Request

BODY_SECONDS = 30.0
"""Longest wait for a body."""

MOST_SAMPLES = 256
"""Upper bound of `count`, the same as that of the setting."""

_TACTIC_HINT = 'Send {"tactic_state": "...", "prefix": "...", "context": "..."}.'
_GENERATE_HINT = 'Send {"name": "...", "input": "...", "prefix": "..."}.'
_CANDIDATES_HINT = "Ask with the llmstep of the same version."
_BOUNDS = {"count": (1, MOST_SAMPLES), "temperature": (0, 5), "top_p": (0.01, 1), "max_new_tokens": (1, 4096)}


@attrs.frozen
class SuggestRequest:
    """A request for next steps."""

    ask: Ask
    count: int | None = None
    """Number of samples to draw; None means the setting."""


def whereabouts(ask: Ask) -> Whereabouts | None:
    """Where a goal stands, as far as the text before it shows; in which file is not known."""
    site = site_behind(ask.context)
    return Whereabouts("", ask.context + PLACEHOLDER, site) if site else None


@attrs.frozen
class CandidatesRequest:
    """Another llmstep's request."""

    ask: Ask
    sampling: Sampling | None = None
    """None means the settings."""
    model_key: str | None = None
    """Which model it has to be; None takes any."""


async def read_body(request: Request) -> bytes:
    """The body.

    Raises:
        RefusedError: It does not come, or is too long.
    """
    try:
        return await asyncio.wait_for(request.body(), BODY_SECONDS)
    except asyncio.TimeoutError:
        raise RefusedError(
            408, f"The body did not come within {BODY_SECONDS:g} seconds.", headers={"Connection": "close"}
        ) from None


def decode_tactic(body: bytes) -> SuggestRequest:
    """The request of the `llmstep` tactic: `{tactic_state, prefix, context}`, and `count` where given.

    The theorem's name and the proof so far are those that stand at the end of `context`.

    Raises:
        RequestError: The body is no such object.
    """
    raw = _object(body, _TACTIC_HINT)
    state = _goal(raw, "tactic_state", _TACTIC_HINT)
    prefix = _text(raw, "prefix", _TACTIC_HINT)
    context = _text(raw, "context", _TACTIC_HINT)
    return SuggestRequest(ask_behind(context, state, prefix), _count(raw))


def decode_generate(body: bytes) -> SuggestRequest:
    """LeanCopilot's request to an external model: `{name, input, prefix}`.

    `name` is the model's name on LeanCopilot's side; this server has one model, so any name is right.

    Raises:
        RequestError: The body is no such object.
    """
    raw = _object(body, _GENERATE_HINT)
    _text(raw, "name", _GENERATE_HINT)
    goal = _goal(raw, "input", _GENERATE_HINT)
    return SuggestRequest(Ask(goal, prefix=_text(raw, "prefix", _GENERATE_HINT)))


def decode_candidates(body: bytes) -> CandidatesRequest:
    """The request of another llmstep.

    Raises:
        RequestError: The body is no such object.
    """
    hint = _CANDIDATES_HINT
    raw = _object(body, hint)
    others = raw.get("others") or []
    if not isinstance(others, list) or not all(isinstance(other, str) for other in others):
        raise RequestError('The field "others" is no list of texts.', hint=hint)
    if not _text(raw, "goal", hint).strip():
        raise RequestError('The field "goal" is missing or empty.', hint=hint)
    goal = Goal(_text(raw, "goal", hint), tuple(_text({"others": other}, "others", hint) for other in others))
    texts = {name: _text(raw, name, hint) for name in ("prefix", "context", "declaration", "proof")}
    ask = Ask(goal, **texts, premises=_premises(raw.get("premises") or [], hint))
    sampling = raw.get("sampling")
    return CandidatesRequest(
        ask, None if sampling is None else _sampling(sampling), _text(raw, "model_key", hint) or None
    )


def _premises(raw: Any, hint: str) -> tuple[Premise, ...]:
    if not isinstance(raw, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in raw):
        raise RequestError('The field "premises" is no list of pairs of name and code.', hint=hint)
    return tuple(Premise(*(_text({"premises": part}, "premises", hint) for part in pair)) for pair in raw)


def _sampling(raw: Any) -> Sampling:
    values = dict(raw) if isinstance(raw, dict) else {}
    for name, (least, most) in _BOUNDS.items():
        value: Any = values.get(name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (isinstance(value, float) and name in ("temperature", "top_p"))) or not least <= value <= most:
            raise RequestError(f'The "{name}" of the sampling is missing or out of bounds.', hint=_CANDIDATES_HINT)
    seed = values.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 1 << 63):
        raise RequestError('The "seed" of the sampling is out of bounds.', hint=_CANDIDATES_HINT)
    return Sampling(**{name: values[name] for name in _BOUNDS}, seed=seed)


def _object(body: bytes, hint: str) -> dict[str, Any]:
    try:
        raw = json.loads(body)
    except json.JSONDecodeError as error:
        raise RequestError(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).", hint=hint
        ) from None
    except UnicodeDecodeError:
        raise RequestError("The body is not UTF-8.", hint=hint) from None
    except RecursionError:
        raise RequestError("The body is nested too deeply.", hint=hint) from None
    if not isinstance(raw, dict):
        raise RequestError(f"The body is {_kind(raw)}, not an object.", hint=hint)
    return raw


def _text(raw: dict[str, Any], key: str, hint: str) -> str:
    """The text under `key`; absent and null mean empty."""
    value = raw.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RequestError(f'The field "{key}" is {_kind(value)}, not a text.', hint=hint)
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can escape half of a surrogate pair; no tokenizer takes it
        raise RequestError(f'The field "{key}" is not valid Unicode.', hint="Escape whole characters.") from None
    return value


def _goal(raw: dict[str, Any], key: str, hint: str) -> Goal:
    state = _text(raw, key, hint)
    if not state.strip():
        raise RequestError(f'The field "{key}" is missing or empty.', hint=hint)
    return Goal.from_state(state)


def _count(raw: dict[str, Any]) -> int | None:
    count = raw.get("count")
    if count is None:
        return None
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_SAMPLES:
        shown = json.dumps(count)[:40] if not isinstance(count, (dict, list)) else _kind(count)
        raise RequestError(
            f'The field "count" is {shown}.', hint=f"It must be a whole number from 1 to {MOST_SAMPLES}."
        )
    return count


def _kind(value: object) -> str:
    """What a JSON value is, for a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "a number"
    return {"dict": "an object", "list": "a list"}.get(type(value).__name__, "a text")
