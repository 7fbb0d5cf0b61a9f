"""Texts that a model writes on, without any template: what OpenAI-compatible clients ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs

from llmstep.cancel import NEVER, CancelToken
from llmstep.decoder.rows import written as text_behind
from llmstep.engine.decode import decode
from llmstep.engine.postprocess import RawSample
from llmstep.engine.prompt import EncodedPrompt
from llmstep.engine.shorten import fitted_ids
from llmstep.engine.text import Text, Written
from llmstep.errors import ContextLengthError, RequestError
from llmstep.progress import ProgressSink, silent
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    from llmstep.catalog.template import PromptTemplate
    from llmstep.engine.loaded import LoadedModel

_WINDOW = 12
"""Tokens before one that may decide how it is written."""


def complete(
    loaded: LoadedModel,
    template: PromptTemplate,
    text: Text,
    sampling: SamplingParams,
    *,
    threads: int = 0,
    progress: ProgressSink = silent,
    on_written: Callable[[int, Written], None] | None = None,
    cancel: CancelToken = NEVER,
) -> tuple[int, list[Written]]:
    """The number of tokens of the prompt, and the continuations in the order drawn.

    Args:
        template: That of the model; it only says how a chat is written where the tokenizer does not.
        sampling: With temperature 0 all `count` continuations are the same.
        on_written: Called with every continuation as soon as it has ended, and how many had ended before.

    Raises:
        RequestError: The prompt is empty, or too long for the model.
        GenerationError: The model failed.
        CancelledError: `cancel` was requested.
    """
    max_tokens = sampling.max_new_tokens
    ids = fitted_ids(loaded, template, text, max_tokens)
    if not ids:
        raise RequestError("The prompt is empty.", hint="Give a text to be continued.")
    if loaded.positions is not None:
        capacity = loaded.positions - (0 if loaded.start_id is not None else len(ids))
        if capacity < 1 or len(ids) > loaded.positions:
            raise ContextLengthError(  # in OpenAI's words, by which litellm knows it
                f"This model's maximum context length is {loaded.positions} tokens, and the prompt has {len(ids)}.",
                hint="Send a shorter prompt.",
            )
        max_tokens = min(max_tokens, capacity)
    before = [] if loaded.start_id is not None else ids
    ended = 0

    def sample_ended(sample: RawSample) -> None:
        nonlocal ended
        if on_written is not None:
            on_written(ended, _written(loaded, before, sample, text, max_tokens))
            ended += 1

    samples = decode(
        loaded,
        EncodedPrompt(ids),
        attrs.evolve(sampling, max_new_tokens=max_tokens),
        stops=text.stops,
        threads=threads,
        progress=progress,
        on_sample=sample_ended if on_written is not None else None,
        cancel=cancel,
    )
    made = [_written(loaded, before, sample, text, max_tokens) for sample in samples]
    if sampling.temperature <= 0:
        made *= sampling.count
        if on_written is not None:
            for number, each in enumerate(made[1:], start=1):
                on_written(number, each)
    return len(ids), made


def _written(loaded: LoadedModel, before: list[int], sample: RawSample, text: Text, max_tokens: int) -> Written:
    """
    Args:
        before: Ids that the sample stands behind.
    """
    places = [place for place in (sample.text.find(stop) for stop in text.stops) if place >= 0]
    end = min(places, default=len(sample.text))
    hit = bool(places) or (bool(sample.steps) and sample.steps[-1][0] in loaded.end_ids)
    return Written(
        sample.text[:end],
        "stop" if hit or sample.tokens < max_tokens else "length",
        tuple(_tokens(loaded, before, sample, end)) if text.logprobs else (),
        sample.tokens,
    )


def _tokens(loaded: LoadedModel, before: list[int], sample: RawSample, end: int) -> Iterator[tuple[str, float]]:
    """The tokens of `sample.text[:end]` as parts of it; one that ends inside a character has none of it."""
    ids = list(before[-_WINDOW:])
    place = 0
    for token, logprob in sample.steps:
        if place >= end and end < len(sample.text):
            return
        length = 0
        if token not in loaded.end_ids:
            known = text_behind(loaded.tokenizer, [], ids[-_WINDOW:])
            ids.append(token)
            length = len(text_behind(loaded.tokenizer, [], ids[-_WINDOW - 1 :])) - len(known)
        after = min(end, max(place, place + length))
        yield sample.text[place:after], logprob
        place = after
