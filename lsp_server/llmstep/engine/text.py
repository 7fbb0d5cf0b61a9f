"""What a model writes without any template: continuations of a text, and answers in a conversation."""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.frozen
class Text:
    """What is to be continued."""

    prompt: str = ""
    messages: tuple[tuple[str, str], ...] = ()
    """Roles and contents of a chat, instead of a prompt."""
    stops: tuple[str, ...] = ()
    """Texts that end a continuation, and are no part of it."""
    logprobs: bool = False
    """Whether the tokens of the continuations are wanted."""
    cut: bool = False
    """Whether a prompt that is too long loses its beginning, instead of being refused."""


@attrs.frozen
class Written:
    """A continuation."""

    text: str
    finish: Literal["stop", "length"]
    tokens: tuple[tuple[str, float], ...]
    """Where wanted: texts of its tokens, and their natural log-probabilities at temperature 1. An end token is the last
    one, with the empty text."""
    drawn: int
    """Number of tokens drawn, those behind a stop included."""


@attrs.frozen
class Completion:
    """The answer to a `Text`."""

    written: list[Written]
    model: str
    prompt_tokens: int


Turn = tuple[str, str]
"""A role (`system`, `user` or `assistant`) and what it says."""


@attrs.frozen
class Answer:
    """What a model answers in a conversation, as whole-proof models are asked for."""

    text: str
    """Without a thought that the server sent apart; one inside of the text is still there."""
    finish: Literal["stop", "length"]
    """`length`: it was cut off, by its limit or because it went on far beyond that."""
    tokens: int
    """Number of tokens written, a thought included; of a server that does not count, the pieces that came."""
    model: str
    """As in `Generation`."""
    thought: str = ""
    """What the server gave apart from the text."""
