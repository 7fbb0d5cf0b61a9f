"""Requests of OpenAI-compatible clients: completions and chats, read from JSON.

Fields that change nothing here (`user`, `store`, …) are ignored; those that would change the answer in a way that this
server does not know are refused, unless they ask for nothing.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

from llmstep.engine.completion import Text
from llmstep.errors import RequestError
from llmstep.types import Sampling

MOST_SAMPLES = 256
MOST_TOKENS = 4096
MOST_STOPS = 16
_OPENAI_TOKENS = 16
"""OpenAI's default for completions."""

_REFUSED = (
    *("echo", "suffix", "tools", "functions", "logit_bias", "frequency_penalty", "presence_penalty"),
    *("audio", "modalities", "prediction", "web_search_options"),
)


@attrs.frozen
class OpenAiRequest:
    """A completion or a chat."""

    text: Text
    sampling: Sampling
    chat: bool
    stream: bool
    logprobs: bool
    usage_at_end: bool = False
    """Whether a stream ends with the numbers of tokens."""


class FieldError(RequestError):
    """A field of a request is wrong.

    Args:
        field: Its name; empty for the body as a whole.
    """

    def __init__(self, field: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


def decode_openai(body: bytes, *, chat: bool, top_p: float = 1.0) -> OpenAiRequest:
    """
    Args:
        chat: Whether it came to `/v1/chat/completions`.
        top_p: Where the request does not say.

    Raises:
        FieldError: It is malformed, or asks for what this server does not do.
    """
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FieldError("", f"The body is not JSON: {error}.") from None
    if not isinstance(raw, dict):
        raise FieldError("", "The body is not an object.")
    for field in _REFUSED:
        if raw.get(field):
            raise FieldError(field, f"This server does not know {field}.", hint="Leave it out.")
    if _kind_of(raw.get("response_format")) != "text":
        raise FieldError("response_format", "This server answers plain text only.", hint="Leave it out.")
    best_of = raw.get("best_of")
    count = _whole(raw, "n", 1, 1, MOST_SAMPLES)
    if best_of not in (None, count):
        raise FieldError("best_of", "This server gives all samples that it draws.", hint="Leave best_of out.")
    longest = "max_completion_tokens" if raw.get("max_completion_tokens") is not None else "max_tokens"
    sampling = Sampling(
        count,
        _number(raw, "temperature", 1.0, 0, 5),
        _number(raw, "top_p", top_p, 0.01, 1),
        _whole(raw, longest, MOST_TOKENS if chat else _OPENAI_TOKENS, 1, 1 << 30),
        _whole(raw, "seed", None, 0, (1 << 63) - 1),
    )
    logprobs = raw.get("logprobs")
    wanted = logprobs is not None and logprobs is not False
    stops = _stops(raw.get("stop"))
    text = (
        Text(messages=_messages(raw), stops=stops, logprobs=wanted) if chat else Text(_prompt(raw), (), stops, wanted)
    )
    options = raw.get("stream_options")
    usage = isinstance(options, dict) and bool(options.get("include_usage"))
    return OpenAiRequest(
        text,
        attrs.evolve(sampling, max_new_tokens=min(sampling.max_new_tokens, MOST_TOKENS)),
        chat,
        bool(raw.get("stream")),
        wanted,
        usage,
    )


def _kind_of(response_format: Any) -> Any:
    return response_format.get("type", "text") if isinstance(response_format, dict) else response_format or "text"


def _prompt(raw: dict[str, Any]) -> str:
    prompt = raw.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise FieldError("prompt", "The prompt must be one text.", hint="Send one request for each prompt.")
    return _unicode("prompt", prompt)


def _messages(raw: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    messages = raw.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise FieldError("messages", "The messages must be a list of objects.", hint='Send [{"role", "content"}].')
    return tuple((_role(each), _unicode("messages", _content(each.get("content")))) for each in messages)


def _role(message: dict[str, Any]) -> str:
    role = message.get("role")
    if role not in ("system", "developer", "user", "assistant"):
        raise FieldError(
            "messages", f"There is no role {str(role)[:40]!r} here.", hint="Use system, user or assistant."
        )
    return "system" if role == "developer" else str(role)


def _content(content: Any) -> str:
    """The text of a message, also where it comes in parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
    ):
        return "".join(part["text"] for part in content)
    raise FieldError("messages", "The content of a message must be a text.", hint="Send no pictures or sounds.")


def _stops(raw: Any) -> tuple[str, ...]:
    stops = [raw] if isinstance(raw, str) else raw or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise FieldError("stop", "Stops must be texts that are not empty.")
    if len(stops) > MOST_STOPS:
        raise FieldError("stop", f"There are {len(stops)} stops; the most are {MOST_STOPS}.")
    return tuple(stops)


def _whole(raw: dict[str, Any], field: str, default: Any, least: int, most: int) -> Any:
    value = raw.get(field)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise FieldError(field, f"{field} must be a whole number from {least} to {most}.")
    return value


def _number(raw: dict[str, Any], field: str, default: float, least: float, most: float) -> float:
    value = raw.get(field)
    if value is None:
        return default
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
        raise FieldError(field, f"{field} must be a number from {least:g} to {most:g}.")
    return float(value)


def _unicode(field: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can escape half of a surrogate pair; no tokenizer takes it
        raise FieldError(field, "A text is not valid Unicode.", hint="Escape whole characters.") from None
    return text
