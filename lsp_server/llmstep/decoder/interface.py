"""The values and errors of the decoder's public face, which `llmstep.decoder` gives to other code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Quantization = Literal["auto", "int8", "int4", "float32"]
"""How the weights of products are kept. `auto`: float32 for small models, else int8, or int4 where memory is short."""
SMALL = 30_000_000
"""Parameters below which one thread is enough, and `auto` leaves float32."""
Progress = Callable[[str, float], None]
"""Called with what is done now (a phrase such as `Reading weights`), and which share of it is done, 0 to 1."""

AGAIN = "Copy, save or download the model again."
"""What to do about a damaged file."""


class DecoderError(Exception):
    """Why there is no answer, in a sentence, and what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class UnsupportedError(DecoderError):
    """The model, or this machine, is none that the decoder can work with; another backend may."""


class DamagedError(DecoderError):
    """A file of the model is missing, cut off, or not what it should be."""


class MemoryShortError(DecoderError):
    """The model or the request does not fit into memory."""


class StoppedError(DecoderError):
    """`cancel` said so."""


def stop_if(cancel: Callable[[], bool], words: str = "The generation was cancelled.") -> None:
    """
    Raises:
        StoppedError: `cancel` says so.
    """
    if cancel():
        raise StoppedError(words)


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of tokens at which two texts begin alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))


@dataclass(frozen=True)
class Footprint:
    """How large a model is."""

    quantization: Literal["int8", "int4", "float32"]
    parameters: int
    weight_bytes: int
    """Memory of the weights."""


@dataclass(frozen=True)
class Lead:
    """A first part that samples may have, with a limit of its own: a thought before an answer, for example."""

    begins: tuple[str, ...]
    """Texts of which a sample that has such a part begins with one; none where every sample begins within it."""
    ends: tuple[str, ...]
    """Texts that end it."""
    max_tokens: int


@dataclass(frozen=True)
class SamplingParams:
    """How to draw."""

    temperature: float = 1.0
    """0 takes the likeliest token each time; all samples are then the same, and one is drawn."""
    top_p: float = 1.0
    """Share of probability that the likeliest tokens have, among which is drawn."""
    max_tokens: int = 64
    """Most tokens of a sample, those of `lead` not counted."""
    seed: int | None = None
    """A sample with a seed is the same whatever is drawn beside it, on machines with the same products."""
    stop: tuple[str, ...] = ()
    """Texts that end a sample as soon as it contains one of them; it keeps what it contains then."""
    end_ids: frozenset[int] | None = None
    """Tokens that end a sample; None takes the model's own."""
    lead: Lead | None = None

    @property
    def max_length(self) -> int:
        """Most tokens of a sample, all counted."""
        return self.max_tokens + (self.lead.max_tokens if self.lead else 0)


@dataclass(frozen=True)
class Continuation:
    """One sample."""

    tokens: tuple[int, ...]
    """What was drawn, with the end token where one ended it."""
    logprobs: tuple[float, ...]
    """Their natural log-probabilities in the model's own distribution, at temperature 1."""
    text: str
    """Their text behind the prompt (or `prefix`); special tokens are shown, the end token is not."""
    finish_reason: Literal["end", "stop", "length"]

    @property
    def logprob(self) -> float:
        """That of the whole continuation."""
        return sum(self.logprobs)


class Tokenizer(Protocol):
    """Turns text into tokens and back; to be called as those of transformers are."""

    bos_token_id: int | None
    eos_token_id: int | None
    pad_token_id: int | None

    def __call__(self, text: str, *, add_special_tokens: bool) -> Mapping[str, list[int]]:
        """`input_ids` of a text."""

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = False, **_: Any) -> str:
        """The text of tokens."""
