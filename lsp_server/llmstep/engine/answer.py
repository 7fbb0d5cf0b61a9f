"""The answer of a loaded model to an ask: prompt, samples, candidates. Used in the worker's thread only."""

from __future__ import annotations

import time
from functools import partial

import attrs

from llmstep.cancel import NEVER, CancelToken
from llmstep.catalog.cleaning import THOUGHT_BEGINS, THOUGHT_ENDS
from llmstep.catalog.template import PromptTemplate
from llmstep.decoder import Lead
from llmstep.engine.chat_form import in_own_words, written_chat
from llmstep.engine.decode import decode
from llmstep.engine.interface import Generation
from llmstep.engine.loaded import LoadedModel
from llmstep.engine.postprocess import generation
from llmstep.engine.prompt import encode
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.types import PromptInput, SamplingParams


def answer(
    loaded: LoadedModel,
    template: PromptTemplate,
    prompt_input: PromptInput,
    sampling: SamplingParams,
    *,
    progress: ProgressSink = silent,
    cancel: CancelToken = NEVER,
) -> Generation:
    """The distinct candidates, best first.

    Args:
        progress: Called after every decoding step with the number of steps done, and the most there can be.
        cancel: Looked at in every step.

    Raises:
        ModelError: The fixed parts of the prompt are too long for the model.
        GenerationError: The model failed.
        CancelledError: `cancel` was requested.
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
        samples = decode(
            loaded,
            prompt,
            attrs.evolve(sampling, count=count, max_new_tokens=max_tokens),
            stops=part.stops,
            lead=Lead(() if part.in_thought else THOUGHT_BEGINS, THOUGHT_ENDS, thought) if thought > 0 else None,
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
