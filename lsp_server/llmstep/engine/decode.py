"""The answer of a loaded model to an ask: prompts, samples, candidates. Used in the worker's thread only.

Samples are drawn by llmstep's own decoder, or by `generate` of transformers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

import attrs

from llmstep import decoder
from llmstep.cancel import NEVER, CancelToken
from llmstep.catalog.cleaning import THOUGHT_BEGINS, THOUGHT_ENDS
from llmstep.catalog.template import PromptTemplate
from llmstep.decoder.model import MAX_ROWS
from llmstep.engine.chat_form import in_own_words, written_chat
from llmstep.engine.interface import Generation
from llmstep.engine.loaded import LoadedModel
from llmstep.engine.postprocess import RawSample, generation
from llmstep.engine.prompt import EncodedPrompt, encode
from llmstep.errors import CancelledError, GenerationError, LlmstepError
from llmstep.progress import Progress, ProgressSink, generating, silent
from llmstep.types import PromptInput, SamplingParams

_NO_MEMORY = re.compile("allocate memory|out of memory")
"""What torch's allocators say, in a RuntimeError of one class or another."""


def decode(
    loaded: LoadedModel,
    prompt: EncodedPrompt,
    sampling: SamplingParams,
    *,
    stops: tuple[str, ...] = (),
    lead: decoder.Lead | None = None,
    progress: ProgressSink = silent,
    on_sample: Callable[[RawSample], None] | None = None,
    cancel: CancelToken = NEVER,
) -> list[RawSample]:
    """Samples drawn independently from the model, in the order drawn; one when the temperature is 0.

    Args:
        stops: Texts that end a sample, as soon as it contains one of them.
        lead: A first part of a sample, with a limit of its own: a thought.
        progress: Called after every decoding step with the number of steps done, and the most there can be.
        on_sample: Called with every sample as soon as it has ended, before `progress`.
        cancel: Looked at while the prompt is read and after every decoding step.

    Raises:
        CancelledError: `cancel` was requested.
        GenerationError: The model failed, for example for want of memory.
    """
    if loaded.decoder is not None:
        draw = loaded.decoder.sample
    else:
        from llmstep.engine.generate import sample

        draw = partial(sample, loaded)
    params = decoder.SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_new_tokens,
        seed=sampling.seed,
        stop=stops,
        end_ids=loaded.end_ids,
        lead=lead,
    )
    count = sampling.count if sampling.temperature > 0 else 1
    total = params.max_length * -(-count // MAX_ROWS)
    name, device = loaded.plan.name, loaded.plan.placement.device
    try:
        found = draw(
            prompt.input_ids,
            count,
            params,
            prefix=prompt.decoder_ids,
            on_end=on_sample and (lambda _, each: on_sample(RawSample.of(each))),
            progress=lambda done: progress(generating(done, total)),
            cancel=lambda: cancel.requested,
        )
    except decoder.StoppedError as error:
        raise CancelledError("The generation was cancelled.", hint="Ask again.") from error
    except LlmstepError:
        raise
    except Exception as error:
        if isinstance(error, (MemoryError, decoder.MemoryShortError)) or _NO_MEMORY.search(str(error)):
            raise GenerationError(
                f"The memory of {device} was not enough for this request to {name}.",
                hint="Lower llmstep.count or llmstep.maxNewTokens, or choose a smaller model.",
            ) from error
        raise GenerationError(
            f"The model {name} failed while generating: {type(error).__name__}: {error}.",
            hint="Try again; if it lasts, choose another model or device and report it with the log.",
        ) from error
    return [RawSample.of(each) for each in found]


def answer(
    loaded: LoadedModel,
    template: PromptTemplate,
    prompt_input: PromptInput,
    sampling: SamplingParams,
    *,
    progress: ProgressSink = silent,
    cancel: CancelToken = NEVER,
) -> Generation:
    """The distinct candidates, best first; progress and errors are those of `decode`.

    Raises:
        ModelError: The fixed parts of the prompt are too long for the model.
    """
    started = time.perf_counter()
    template = in_own_words(template, partial(written_chat, loaded.plan.tokenizer_folder))
    prompts = template.draws(prompt_input, sampling.count)
    parts = []
    before = 0

    def in_all(before: int, left: int, update: Progress) -> None:
        progress(attrs.evolve(update, done=before + update.done, total=before + update.total * left))

    for left, (part, count) in zip(range(len(prompts), 0, -1), prompts, strict=True):
        limit, max_tokens, thought = _limits(part, sampling, loaded.positions)
        prompt = encode(part, prompt_input, loaded.tokenizer, limit)
        if loaded.positions is not None and part.family == "seq2seq":
            max_tokens = max(1, min(max_tokens, loaded.positions - 1 - len(prompt.decoder_ids)))
        begins = () if part.in_thought else THOUGHT_BEGINS
        samples = decode(
            loaded,
            prompt,
            attrs.evolve(sampling, count=count, max_new_tokens=max_tokens),
            stops=part.stops,
            lead=decoder.Lead(begins, THOUGHT_ENDS, thought) if thought > 0 else None,
            progress=partial(in_all, before, left),
            cancel=cancel,
        )
        before += max(sample.tokens for sample in samples)
        parts.append((part, samples))
    drawn = sum(len(samples) for _, samples in parts)
    return generation(prompt_input, loaded.plan.name, drawn, started, parts)


def _limits(template: PromptTemplate, sampling: SamplingParams, positions: int | None) -> tuple[int, int, int]:
    """Most tokens of the prompt, of a sample, and of a thought before it."""
    max_tokens = min(sampling.max_new_tokens, template.max_new_tokens)
    thought = template.thinking_tokens if template.chat else 0
    if positions is None:
        return template.max_prompt_tokens, max_tokens, thought
    max_tokens = min(max_tokens, max(1, positions // 2))
    thought = min(thought, positions // 2 - max_tokens)
    limit = positions if template.family == "seq2seq" else positions - max_tokens - thought
    return limit, max_tokens, thought
