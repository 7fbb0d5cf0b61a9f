"""Requests of OpenAI-compatible clients: completions and chats, read from JSON.

Fields that change nothing here (`user`, `store`, …) are ignored; those that would change the answer in a way that this
server does not know are refused, unless they ask for nothing.
"""

from __future__ import annotations

from typing import Any

import attrs

from llmstep.engine.text import Text
from llmstep.errors import RequestError
from llmstep.http.fields import Wrong, decode, field, flag, kind_of, number, part, read_text, whole
from llmstep.strict_json import JsonError, loads
from llmstep.types import SamplingParams

MOST_SAMPLES = 256
"""Of all prompts of a request together."""
MOST_TOKENS = 4096
MOSTSTOPS = 16
_OPENAI_TOKENS = 16
"""OpenAI's default for completions."""

REFUSED = (
    *("echo", "suffix", "tools", "functions", "logit_bias", "frequency_penalty", "presence_penalty"),
    *("audio", "modalities", "prediction", "web_search_options"),
)


class FieldError(RequestError):
    """A field of a request is wrong.

    Args:
        field: Its name; empty for the body as a whole.
    """

    def __init__(self, field: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


def wording(name: str, wrong: Wrong) -> FieldError:
    """The error for a field."""
    if wrong.said:
        return FieldError(name, wrong.said, hint=wrong.hint)
    if wrong.wanted == "valid Unicode":
        return FieldError(name, "A text is not valid Unicode.", hint="Escape whole characters.")
    return FieldError(name, f"{name} must be {wrong.wanted}.")


def _read_prompts(value: Any) -> tuple[str, ...]:
    prompts = value if isinstance(value, list) else [value]
    if not prompts or not all(isinstance(each, str) for each in prompts):
        raise Wrong("", said="The prompt must be one text.", hint="Or a list of texts; tokens are not read.")
    return tuple(map(read_text, prompts))


def read_stops(value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise Wrong("", said="Stops must be texts that are not empty.")
    if len(stops) > MOSTSTOPS:
        raise Wrong("", said=f"There are {len(stops)} stops; the most are {MOSTSTOPS}.")
    return tuple(map(read_text, stops))


def read_messages(value: Any) -> tuple[tuple[str, str], ...]:
    """Roles and contents."""
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise Wrong("", said="The messages must be a list of objects.", hint='Send [{"role", "content"}].')
    return tuple((_role(each), _content(each)) for each in value)


def _role(message: dict[str, Any]) -> str:
    role = message.get("role")
    if role not in ("system", "developer", "user", "assistant"):
        shown = f"'{read_text(role)[:40]}'" if isinstance(role, str) else kind_of(role)
        raise Wrong("", said=f"There is no role {shown} here.", hint="Use system, user or assistant.")
    return "system" if role == "developer" else str(role)


def _content(message: dict[str, Any]) -> str:
    """The text of a message, also where it comes in parts; an assistant's may be null."""
    content = message.get("content")
    if content is None and "content" in message and message["role"] == "assistant":
        return ""
    if isinstance(content, str):
        return read_text(content)
    if isinstance(content, list) and all(
        isinstance(each, dict) and isinstance(each.get("text"), str) for each in content
    ):
        return "".join(read_text(each["text"]) for each in content)
    raise Wrong("", said="The content of a message must be a text.", hint="Send no pictures or sounds.")


def _read_format(value: Any) -> None:
    if not isinstance(value, dict) or value.get("type", "text") != "text":
        raise Wrong("", said="This server answers plain text only.", hint="Leave it out.")


def _read_logprobs(value: Any) -> bool:
    """With completions a number of alternatives, with chats whether they are wanted."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and 0 <= value <= 1:
        return True
    said = "This server gives the log-probabilities of the drawn tokens, without alternatives."
    raise Wrong("", said=said, hint="Send logprobs 1, or true in a chat.")


def _read_alternatives(value: Any) -> None:
    if value != 0 or isinstance(value, bool):
        said = "This server gives the log-probabilities of the drawn tokens, without alternatives."
        raise Wrong("", said=said, hint="Leave top_logprobs out.")


_TEXT_OR_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
STOPS = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": MOSTSTOPS},
        {"type": "null"},
    ]
}
_PARTS = {
    "type": "array",
    "items": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
}
MESSAGES = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["role", "content"],
        "properties": {
            "role": {"enum": ["system", "developer", "user", "assistant"]},
            "content": {"anyOf": [{"type": "string"}, _PARTS]},
        },
    },
}


_FORMAT = {"type": "object", "properties": {"type": {"const": "text"}}}


@attrs.frozen
class StreamOptions:
    """What a stream has beside samples."""

    include_usage: bool = flag("End with the numbers of tokens.")


@attrs.frozen
class _Body:
    n: int = whole("Number of samples.", 1, MOST_SAMPLES, 1)
    best_of: int | None = whole("As many as n; this server gives all samples that it draws.", 1, MOST_SAMPLES)
    temperature: float = number("0 is greedy.", 0, 5, 1.0)
    top_p: float | None = number("Without it that of the server's settings.", 0.01, 1)
    max_tokens: int | None = whole("Most tokens of a sample; more than 4096 are 4096.", 1, 1 << 30)
    seed: int | None = whole("Makes the samples repeatable.", 0, (1 << 63) - 1)
    stop: tuple[str, ...] = field("Texts that end a sample.", STOPS, read_stops, default=())
    stream: bool = flag("Answer in events, a sample in each.")
    stream_options: StreamOptions | None = part("What a stream has beside samples.", StreamOptions, wording)
    response_format: None = field("Nothing but plain text.", _FORMAT, _read_format)


@attrs.frozen
class CompletionBody(_Body):
    """A text to be continued."""

    prompt: tuple[str, ...] = field("One text, or several.", _TEXT_OR_TEXTS, _read_prompts, default=(), required=True)
    logprobs: bool = field(
        "1: send the log-probabilities of the tokens drawn.",
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 1}, {"type": "boolean"}, {"type": "null"}]},
        _read_logprobs,
        default=False,
    )


@attrs.frozen
class ChatBody(_Body):
    """A chat to be continued."""

    messages: tuple[tuple[str, str], ...] = field(
        "What was said so far.", MESSAGES, read_messages, default=(), required=True
    )
    max_completion_tokens: int | None = whole("The newer name of max_tokens.", 1, 1 << 30)
    logprobs: bool = flag("Tell the log-probabilities of the tokens drawn.")
    top_logprobs: None = field("0: no alternatives.", {"type": "integer", "const": 0}, _read_alternatives)


@attrs.frozen
class OpenAiRequest:
    """A completion or a chat."""

    texts: tuple[Text, ...]
    """Those to be continued; a chat is one."""
    sampling: SamplingParams
    chat: bool
    stream: bool
    logprobs: bool
    usage_at_end: bool = False
    """Whether a stream ends with the numbers of tokens."""


def decode_openai(body: bytes, *, chat: bool, top_p: float = 1.0) -> OpenAiRequest:
    """
    Args:
        chat: Whether it came to `/v1/chat/completions`.
        top_p: Where the request does not say.

    Raises:
        FieldError: It is malformed, or asks for what this server does not do.
    """
    raw = json_object(body)
    for name in REFUSED:
        if raw.get(name):
            raise FieldError(name, f"This server does not know {name}.", hint="Leave it out.")
    read: Any = decode(ChatBody if chat else CompletionBody, raw, wording)
    if read.best_of not in (None, read.n):
        raise FieldError("best_of", "This server gives all samples that it draws.", hint="Leave best_of out.")
    texts: tuple[Text, ...]
    if chat:
        texts = (Text(messages=read.messages, stops=read.stop, logprobs=read.logprobs),)
        longest = read.max_completion_tokens or read.max_tokens or MOST_TOKENS
    else:
        texts = tuple(Text(each, (), read.stop, read.logprobs) for each in read.prompt)
        longest = read.max_tokens or _OPENAI_TOKENS
    if len(texts) * read.n > MOST_SAMPLES:
        raise FieldError(
            "n", f"All prompts together get {MOST_SAMPLES} samples at most.", hint="Send several requests."
        )
    sampling = SamplingParams(
        read.n, read.temperature, top_p if read.top_p is None else read.top_p, min(longest, MOST_TOKENS), read.seed
    )
    usage = read.stream_options is not None and read.stream_options.include_usage
    return OpenAiRequest(texts, sampling, chat, read.stream, read.logprobs, usage)


def json_object(body: bytes) -> dict[str, Any]:
    """The object that a body is.

    Raises:
        FieldError: It is none.
    """
    try:
        raw = loads(body, lenient=True)
    except JsonError as error:
        raise FieldError("", f"The body {error}.") from None
    if not isinstance(raw, dict):
        raise FieldError("", "The body is not an object.")
    return raw
