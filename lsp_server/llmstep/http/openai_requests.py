"""Requests of OpenAI-compatible clients: completions and chats, read from JSON.

Fields that change nothing here (`user`, `store`, …) are ignored; those that would change the answer in a way that this
server does not know are refused, unless they ask for nothing.
"""

from __future__ import annotations

from typing import Annotated, Any

import attrs

from llmstep.engine.interface import Text
from llmstep.errors import RequestError
from llmstep.http.bodies import json_object
from llmstep.types import SamplingParams
from llmstep.wire.bounds import Form, Number, WrongValue
from llmstep.wire.reading import BODIES, MISSING
from llmstep.wire.requests import Samples, Seed
from llmstep.wire.values import kind_of, read_text

MAX_SAMPLES = 256
"""Of all prompts of a request together."""
MAX_TOKENS = 4096
MAX_STOPS = 16
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


def wording(name: str, wrong: WrongValue) -> FieldError:
    """The error for a field."""
    if wrong.said:
        return FieldError(name, wrong.said, hint=wrong.hint)
    if wrong.wanted == "valid Unicode":
        return FieldError(name, "A text is not valid Unicode.", hint="Escape whole characters.")
    if wrong.wanted == MISSING:
        return FieldError(name, f"The field {name} is missing.", hint="Send it.")
    return FieldError(name, f"{name} must be {wrong.wanted}.")


def _read_prompts(value: Any) -> tuple[str, ...]:
    prompts = value if isinstance(value, list) else [value]
    if not prompts or not all(isinstance(each, str) for each in prompts):
        raise WrongValue("", said="The prompt must be one text.", hint="Or a list of texts; tokens are not read.")
    return tuple(map(read_text, prompts))


def read_stops(value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise WrongValue("", said="Stops must be texts that are not empty.")
    if len(stops) > MAX_STOPS:
        raise WrongValue("", said=f"There are {len(stops)} stops; the most are {MAX_STOPS}.")
    return tuple(map(read_text, stops))


def read_messages(value: Any) -> tuple[tuple[str, str], ...]:
    """Roles and contents."""
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise WrongValue("", said="The messages must be a list of objects.", hint='Send [{"role", "content"}].')
    return tuple((_role(each), _content(each)) for each in value)


def _role(message: dict[str, Any]) -> str:
    role = message.get("role")
    if role not in ("system", "developer", "user", "assistant"):
        shown = f"'{read_text(role)[:40]}'" if isinstance(role, str) else kind_of(role)
        raise WrongValue("", said=f"There is no role {shown} here.", hint="Use system, user or assistant.")
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
    raise WrongValue("", said="The content of a message must be a text.", hint="Send no pictures or sounds.")


def _read_format(value: Any) -> None:
    if not isinstance(value, dict) or value.get("type", "text") != "text":
        raise WrongValue("", said="This server answers plain text only.", hint="Leave it out.")


def _read_logprobs(value: Any) -> bool:
    """With completions a number of alternatives, with chats whether they are wanted."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and 0 <= value <= 1:
        return True
    said = "This server gives the log-probabilities of the drawn tokens, without alternatives."
    raise WrongValue("", said=said, hint="Send logprobs 1, or true in a chat.")


def _read_alternatives(value: Any) -> None:
    if value != 0 or isinstance(value, bool):
        said = "This server gives the log-probabilities of the drawn tokens, without alternatives."
        raise WrongValue("", said=said, hint="Leave top_logprobs out.")


_TEXT_OR_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
STOPS = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": MAX_STOPS},
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


Temperature = Annotated[float, Number(0, 5)]
TopP = Annotated[float, Number(0.01, 1)]
Stops = Annotated[tuple[str, ...], Form(STOPS, read_stops)]
Messages = Annotated[tuple[tuple[str, str], ...], Form(MESSAGES, read_messages)]
_Tokens = Annotated[int, Number(1, 1 << 30)]
_LOGPROBS = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 1}, {"type": "boolean"}, {"type": "null"}]}


@attrs.frozen(kw_only=True)
class StreamOptions:
    """What a stream has beside samples."""

    include_usage: bool = False
    """End with the numbers of tokens."""


@attrs.frozen(kw_only=True)
class _Body:
    n: Samples = 1
    """Number of samples."""
    best_of: Samples | None = None
    """As many as n; this server gives all samples that it draws."""
    temperature: Temperature = 1.0
    """0 is greedy."""
    top_p: TopP | None = None
    """Without it that of the server's settings."""
    max_tokens: _Tokens | None = None
    """Most tokens of a sample; more than 4096 are 4096."""
    seed: Seed | None = None
    """Makes the samples repeatable."""
    stop: Stops = ()
    """Texts that end a sample."""
    stream: bool = False
    """Answer in events, a sample in each."""
    stream_options: StreamOptions | None = None
    """What a stream has beside samples."""
    response_format: Annotated[object, Form(_FORMAT, _read_format)] | None = None
    """Nothing but plain text."""


@attrs.frozen(kw_only=True)
class CompletionBody(_Body):
    """A text to be continued."""

    prompt: Annotated[tuple[str, ...], Form(_TEXT_OR_TEXTS, _read_prompts)]
    """One text, or several."""
    logprobs: Annotated[bool, Form(_LOGPROBS, _read_logprobs)] = False
    """1: send the log-probabilities of the tokens drawn."""


@attrs.frozen(kw_only=True)
class ChatBody(_Body):
    """A chat to be continued."""

    messages: Messages
    """What was said so far."""
    max_completion_tokens: _Tokens | None = None
    """The newer name of max_tokens."""
    logprobs: bool = False
    """Send the log-probabilities of the tokens drawn."""
    top_logprobs: Annotated[object, Form({"type": "integer", "const": 0}, _read_alternatives)] | None = None
    """0: no alternatives."""


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
    read: Any = BODIES.read(ChatBody if chat else CompletionBody, raw, wording)
    if read.best_of not in (None, read.n):
        raise FieldError("best_of", "This server gives all samples that it draws.", hint="Leave best_of out.")
    texts: tuple[Text, ...]
    if chat:
        texts = (Text(messages=read.messages, stops=read.stop, logprobs=read.logprobs),)
        limit = read.max_completion_tokens or read.max_tokens or MAX_TOKENS
    else:
        texts = tuple(Text(each, (), read.stop, read.logprobs) for each in read.prompt)
        limit = read.max_tokens or _OPENAI_TOKENS
    if len(texts) * read.n > MAX_SAMPLES:
        raise FieldError("n", f"All prompts together get {MAX_SAMPLES} samples at most.", hint="Send several requests.")
    sampling = SamplingParams(
        read.n, read.temperature, top_p if read.top_p is None else read.top_p, min(limit, MAX_TOKENS), read.seed
    )
    usage = read.stream_options is not None and read.stream_options.include_usage
    return OpenAiRequest(texts, sampling, chat, read.stream, read.logprobs, usage)
