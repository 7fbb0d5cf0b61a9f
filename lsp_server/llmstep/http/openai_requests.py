"""Requests of OpenAI-compatible clients: completions and chats, read from JSON.

Fields that change nothing here (`user`, `store`, …) are ignored; those that would change the answer in a way that this
server does not know are refused, unless they ask for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import attrs

from llmstep.engine.interface import Text
from llmstep.http.bodies import json_object
from llmstep.types import SamplingParams
from llmstep.wire.bounds import Samples, items, number, text
from llmstep.wire.http import Seed
from llmstep.wire.reading import BODIES, FieldError, field_error

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


_Stop = Annotated[str, text(empty=False)]
Stops = _Stop | Annotated[tuple[_Stop, ...], items(MAX_STOPS)]
Temperature = Annotated[float, number(0, 5)]
TopP = Annotated[float, number(0.01, 1)]
_Tokens = Annotated[int, number(1, 1 << 30)]


@attrs.frozen(kw_only=True)
class Part:
    """A part of what was said."""

    text: str
    """It; there are no pictures and sounds."""


@attrs.frozen(kw_only=True)
class Message:
    """What was said in a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    """Who said it."""
    content: str | tuple[Part, ...]
    """What; an assistant's may be null."""


Messages = Annotated[tuple[Message, ...], items(minimum=1)]


@attrs.frozen(kw_only=True)
class ResponseFormat:
    """The form of the answer."""

    type: Literal["text"] = "text"
    """No other is known."""


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
    response_format: ResponseFormat | None = None
    """Nothing but plain text."""


@attrs.frozen(kw_only=True)
class CompletionBody(_Body):
    """A text to be continued."""

    prompt: str | Annotated[tuple[str, ...], items(minimum=1)]
    """One text, or several."""
    logprobs: bool | Annotated[int, number(0, 1)] = False
    """0 or 1: send the log-probabilities of the tokens drawn."""


@attrs.frozen(kw_only=True)
class ChatBody(_Body):
    """A chat to be continued."""

    messages: Messages
    """What was said so far."""
    max_completion_tokens: _Tokens | None = None
    """The newer name of max_tokens."""
    logprobs: bool = False
    """Send the log-probabilities of the tokens drawn."""
    top_logprobs: Literal[0] | None = None
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
    """The request of a page; raises FieldError where it is malformed, or asks for what this server does not do."""
    raw = json_object(body)
    refuse(raw, REFUSED)
    several = isinstance(raw.get("logprobs"), int) and raw["logprobs"] > 1
    if several or raw.get("top_logprobs"):
        said = "This server gives the log-probabilities of the drawn tokens, without alternatives."
        hint = "Send logprobs 1, or true in a chat, and no top_logprobs."
        raise FieldError("logprobs" if several else "top_logprobs", said, hint=hint)
    texts: tuple[Text, ...]
    read: CompletionBody | ChatBody
    if chat:
        read = BODIES.read(ChatBody, with_contents(raw), field_error)
        texts = (Text(messages=turns(read.messages), stops=stops_of(read.stop), logprobs=read.logprobs),)
        limit = read.max_completion_tokens or read.max_tokens or MAX_TOKENS
    else:
        read = BODIES.read(CompletionBody, raw, field_error)
        prompts = (read.prompt,) if isinstance(read.prompt, str) else read.prompt
        texts = tuple(Text(each, (), stops_of(read.stop), read.logprobs is not False) for each in prompts)
        limit = read.max_tokens or _OPENAI_TOKENS
    if read.best_of not in (None, read.n):
        raise FieldError("best_of", "This server gives all samples that it draws.", hint="Leave best_of out.")
    if len(texts) * read.n > MAX_SAMPLES:
        raise FieldError("n", f"All prompts together get {MAX_SAMPLES} samples at most.", hint="Send several requests.")
    sampling = SamplingParams(
        read.n, read.temperature, top_p if read.top_p is None else read.top_p, min(limit, MAX_TOKENS), read.seed
    )
    usage = read.stream_options is not None and read.stream_options.include_usage
    return OpenAiRequest(texts, sampling, chat, read.stream, read.logprobs is not False, usage)


def refuse(raw: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise FieldError where one of the fields asks for something."""
    for name in names:
        if raw.get(name):
            raise FieldError(name, f"This server does not know {name}.", hint="Leave it out.")


def with_contents(raw: dict[str, Any]) -> dict[str, Any]:
    """A chat in which an assistant's turn that is null, beside calls of tools, is empty."""
    for each in raw["messages"] if isinstance(raw.get("messages"), list) else ():
        if isinstance(each, dict) and each.get("role") == "assistant" and each.get("content", "") is None:
            each["content"] = ""
    return raw


def turns(messages: tuple[Message, ...]) -> tuple[tuple[str, str], ...]:
    """Roles and contents, as templates take them."""
    return tuple(
        (
            "system" if each.role == "developer" else each.role,
            each.content if isinstance(each.content, str) else "".join(part.text for part in each.content),
        )
        for each in messages
    )


def stops_of(stop: str | tuple[str, ...]) -> tuple[str, ...]:
    """The texts that end a sample."""
    return (stop,) if isinstance(stop, str) else stop
