"""Texts that a model writes on, without any template: what OpenAI-compatible clients ask for.

llmlean sends the whole file before the goal, between `[CTX]` and `[/CTX]`, and has no idea of how much a model reads.
What is far from the goal goes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import attrs

from llmstep.cancel import NEVER, CancelToken
from llmstep.catalog.template import PromptTemplate
from llmstep.decoder.rows import written as text_behind
from llmstep.engine.chat_form import written_chat
from llmstep.engine.decode import decode
from llmstep.engine.interface import Completion, Text, Written
from llmstep.engine.loaded import LoadedModel
from llmstep.engine.postprocess import RawSample
from llmstep.engine.prompt import EncodedPrompt
from llmstep.errors import ContextLengthError, RequestError
from llmstep.progress import ProgressSink, silent
from llmstep.types import SamplingParams

_OPEN, _CLOSE = "[CTX]\n", "[/CTX]"
_TRIES = 12
_WINDOW = 12
"""Tokens before one that may decide how it is written."""


def complete(
    loaded: LoadedModel,
    template: PromptTemplate,
    text: Text,
    sampling: SamplingParams,
    *,
    progress: ProgressSink = silent,
    on_written: Callable[[int, Written], None] | None = None,
    cancel: CancelToken = NEVER,
) -> Completion:
    """The continuations in the order drawn; with temperature 0 all of them are the same. Errors are those of `decode`.

    Args:
        template: That of the model; it only says how a chat is written where the tokenizer does not.
        on_written: Called with every continuation as soon as it has ended, and how many had ended before.

    Raises:
        RequestError: The prompt is empty, or too long for the model.
    """
    max_tokens = sampling.max_new_tokens
    ids = _fitted_ids(loaded, template, text, max_tokens)
    if not ids:
        raise RequestError("The prompt is empty.", hint="Give a text to be continued.")
    before = [] if loaded.start_id is not None else ids
    if loaded.positions is not None:
        capacity = loaded.positions - len(before)
        if capacity < 1 or len(ids) > loaded.positions:
            raise ContextLengthError(  # in OpenAI's words, by which litellm knows it
                f"This model's maximum context length is {loaded.positions} tokens, and the prompt has {len(ids)}.",
                hint="Send a shorter prompt.",
            )
        max_tokens = min(max_tokens, capacity)
    ended = 0

    def written(sample: RawSample) -> Written:
        places = [place for place in (sample.text.find(stop) for stop in text.stops) if place >= 0]
        end = min(places, default=len(sample.text))
        hit = bool(places) or (bool(sample.steps) and sample.steps[-1][0] in loaded.end_ids)
        finish: Literal["stop", "length"] = "stop" if hit or sample.tokens < max_tokens else "length"
        tokens = tuple(_tokens(loaded, before, sample, end)) if text.logprobs else ()
        return Written(sample.text[:end], finish, tokens, sample.tokens)

    def tell(sample: RawSample) -> None:
        nonlocal ended
        if on_written is not None:
            on_written(ended, written(sample))
            ended += 1

    samples = decode(
        loaded,
        EncodedPrompt(ids),
        attrs.evolve(sampling, max_new_tokens=max_tokens),
        stops=text.stops,
        progress=progress,
        on_sample=tell if on_written is not None else None,
        cancel=cancel,
    )
    if sampling.temperature <= 0:
        for again in samples * (sampling.count - 1):
            tell(again)
        samples *= sampling.count
    return Completion([written(sample) for sample in samples], loaded.plan.name, len(ids))


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


def _fitted_ids(loaded: LoadedModel, template: PromptTemplate, text: Text, max_tokens: int) -> list[int]:
    """The ids that the model continues, without the beginning of a file that they hold where it is too long.

    A text that holds no file, and is not to be cut, comes back as long as it is. Up to a quarter of the model's places
    is kept for the tokens to be generated.
    """
    ids = _prompt_ids(loaded, template, text)
    if loaded.positions is None:
        return ids
    capacity = loaded.positions - (min(max_tokens, loaded.positions // 4) if loaded.start_id is None else 0)
    for _ in range(_TRIES):
        shorter = _without_beginning(text, 1 - capacity / len(ids)) if len(ids) > capacity else None
        if shorter is None:
            break
        text, ids = shorter, _prompt_ids(loaded, template, shorter)
    if text.cut and len(ids) > capacity:
        first = ids[:1] if ids[:1] == [loaded.tokenizer.bos_token_id] else []
        return first + ids[len(ids) - capacity + len(first) :]
    return ids


def _prompt_ids(loaded: LoadedModel, template: PromptTemplate, text: Text) -> list[int]:
    """The ids that the model continues, with the special tokens that its tokenizer adds by itself.

    A chat is written by the tokenizer's rule; without one, as turns of a template that has some, else as plain texts.
    """
    said, special = text.prompt, True
    if text.messages:
        chat = written_chat(loaded.plan.tokenizer_folder, text.messages)
        if chat is not None:
            said, special = chat, False
        elif template.chat:
            turns = [f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in text.messages]
            said = "".join(turns) + "<|im_start|>assistant\n"
        else:
            said = "\n".join(content for _, content in text.messages)
    return list(loaded.tokenizer(said, add_special_tokens=special)["input_ids"])


def _without_beginning(text: Text, part: float) -> Text | None:
    """A text whose file has lost a little more than `part` of the text at its beginning; None where it holds none."""
    contents = [text.prompt, *(content for _, content in text.messages)]
    longest = max(range(len(contents)), key=lambda number: len(contents[number]))
    content = contents[longest]
    start = content.find(_OPEN) + len(_OPEN)
    end = content.rfind(_CLOSE)
    if start < len(_OPEN) or end <= start:
        return None
    place = min(end, start + int(sum(map(len, contents)) * part) + 16)
    line = content.find("\n", place, end)
    contents[longest] = content[:start] + content[line + 1 if line >= 0 else place :]
    messages = tuple((role, said) for (role, _), said in zip(text.messages, contents[1:], strict=True))
    return attrs.evolve(text, prompt=contents[0], messages=messages)
