"""From an ask to token ids that fit the model, and from generated ids back to text.

A prompt that is too long loses context first, then parts of the goal (`llmstep.catalog.cutting` says which); the
text of the format and the user's prefix are never cut. The joined text is always tokenized in one piece, so that ids do
not depend on where the parts of a prompt meet.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from llmstep.catalog import cutting
from llmstep.catalog.template import PromptTemplate, Segment
from llmstep.decoder import Tokenizer
from llmstep.errors import ModelError
from llmstep.types import PromptInput


@attrs.frozen
class EncodedPrompt:
    """What goes into a model."""

    input_ids: list[int]
    """Ids of the prompt; for an encoder-decoder model, of the encoder's input. Shape [prompt]."""
    decoder_ids: list[int] = attrs.field(factory=list)
    """Ids that the decoder's output starts with, behind the decoder's start token (not included). Shape [prefix]."""
    cut: bool = False
    """Whether something of the goal or the context was left out."""


def encode(template: PromptTemplate, prompt_input: PromptInput, tokenizer: Tokenizer, limit: int) -> EncodedPrompt:
    """The prompt for `ask` as ids, cut where it has to be.

    Args:
        limit: Most prompt tokens that the model can take: its positions less the tokens to be generated. The template's
            own limit holds too.

    Raises:
        ModelError: The format and the prefix alone are too long.
    """

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    before, behind = _special(template, tokenizer)
    budget = min(template.max_prompt_tokens, limit) - len(before) - len(behind)
    segments = template.segments(prompt_input)
    fitted = _fit(template, segments, lambda text: len(ids(text)), budget)
    start = template.decoder_text(prompt_input)
    return EncodedPrompt([*before, *ids(_join(fitted)), *behind], ids(start) if start else [], fitted != segments)


def fitted_text(template: PromptTemplate, prompt_input: PromptInput, count: Callable[[str], int], budget: int) -> str:
    """The prompt as a text of at most `budget` tokens by `count`, for a server to tokenize; raises as `encode`."""
    return _join(_fit(template, template.segments(prompt_input), count, min(budget, template.max_prompt_tokens)))


def _fit(
    template: PromptTemplate, segments: tuple[Segment, ...], count: Callable[[str], int], budget: int
) -> tuple[Segment, ...]:
    """`segments` with as much of context and goal as `budget` tokens allow."""

    def fits(parts: tuple[Segment, ...]) -> bool:
        return count(_join(parts)) <= budget

    if not _join(segments).strip():
        raise ModelError(
            f"The template {template.name} reads the file before the goal, and there is none.",
            hint="Ask at a place in a file, or choose another template.",
        )
    capacity = template.context_tokens
    context = next((part.text for part in segments if part.kind == "context"), "")
    if context:
        rest = count(_join(_replace(segments, "context", "")))
        capacity = max(0, min(capacity, budget - rest))
        parts = _replace(segments, "context", _cut_context(template, context, capacity, count))
        # The joints may cost a token or two that neither count has seen.
        while not fits(parts) and capacity > 0:
            capacity = max(0, capacity - max(1, count(_join(parts)) - budget))
            parts = _replace(segments, "context", _cut_context(template, context, capacity, count))
        segments = parts
    if fits(segments):
        return segments
    goal = next((part.text for part in segments if part.kind == "goal"), "")
    shorter = cutting.cut_goal(goal, lambda text: fits(_replace(segments, "goal", text)))
    if shorter is None:
        needed = count(_join(_replace(segments, "goal", "")))
        raise ModelError(
            f"The prompt needs {needed} tokens before any goal is in it, and the model has room for {max(budget, 0)}.",
            hint="Use a shorter prefix, fewer new tokens, or a model that reads longer prompts.",
        )
    return _replace(segments, "goal", shorter)


def _cut_context(template: PromptTemplate, context: str, capacity: int, count: Callable[[str], int]) -> str:
    """`context` in at most `capacity` tokens (and those of `...`), by the template's rule."""
    end = cutting.tail(context, capacity, count)
    if end == context or template.context_cut == "tail":
        return end
    return cutting.middle_out(context, capacity, count) if capacity > 1 else ""


def _replace(segments: tuple[Segment, ...], kind: str, text: str) -> tuple[Segment, ...]:
    return tuple(attrs.evolve(part, text=text) if part.kind == kind else part for part in segments)


def _join(segments: tuple[Segment, ...]) -> str:
    return "".join(part.text for part in segments)


def _special(template: PromptTemplate, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens before and behind the prompt; none where the tokenizer has none."""
    if template.special == "bos":
        first = list(tokenizer("a", add_special_tokens=True)["input_ids"])[:1]  # models saw what their tokenizer adds
        return (first, []) if first == [tokenizer.bos_token_id] else ([], [])
    if template.special == "eos" and tokenizer.eos_token_id is not None:
        return [], [int(tokenizer.eos_token_id)]
    return [], []
