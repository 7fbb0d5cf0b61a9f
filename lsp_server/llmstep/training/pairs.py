"""Pairs of goal and tactic as the token sequences that a model learns from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs

from llmstep.catalog.template import PromptTemplate
from llmstep.engine.prompt import encode
from llmstep.errors import ModelError, RequestError
from llmstep.json_lines import read_lines
from llmstep.lean.asking import prompt_input_behind
from llmstep.types import Goal, PromptInput

IGNORED = -100
"""Label of the positions that do not count in the loss."""


@attrs.frozen
class Example:
    """A goal, and the tactic that a model learns to write for it."""

    goal: str
    tactic: str
    file_context: str = ""
    """What stands before the tactic in its file, for templates that read it."""
    prefix: str = ""
    """What is there of the tactic already; only the rest is learnt then."""

    def prompt_input(self) -> PromptInput:
        """What a model is asked later at the place of the tactic."""
        return prompt_input_behind(self.file_context, Goal.from_state(self.goal), self.prefix)


def read_pairs(file: Path) -> list[Example]:
    """The pairs of a JSONL file: `goal`, `tactic` and, where there is one, `file_context`; other keys are ignored.

    A line may have a `prefix` too, with which its tactic begins.
    """
    pairs = []
    for number, pair in read_lines(file, Example, "pair", '{"goal": "...", "tactic": "..."}'):
        if not pair.tactic.startswith(pair.prefix):
            raise RequestError(
                f"The tactic in line {number} of {file} does not begin with its prefix.",
                hint="Give the whole tactic, and as prefix the part of it that is there already.",
            )
        pairs.append(pair)
    if not pairs:
        raise RequestError(f"{file} holds no pairs.", hint="Give a JSONL file with at least one line.")
    return pairs


def answer_text(template: PromptTemplate, prompt_input: PromptInput, tactic: str) -> str:
    """The text that the model learns to write, without the end token."""
    # A prompt that writes on in the file leaves the last blank before the tactic to the answer.
    blank = " " if "{file}" in template.text and prompt_input.context.endswith(" ") else ""
    end = "\n" if "\n" in template.stops else "".join(template.stops[:1])
    if prompt_input.prefix.strip() and template.prefix_place == "append":
        there = prompt_input.prefix.removesuffix(template.unfinished(prompt_input)).rstrip()
        return template.hidden(prompt_input, tactic)[len(template.hidden(prompt_input, there)) :] + end
    return blank + template.prefix_lead + template.hidden(prompt_input, tactic) + end


def with_longest(template: PromptTemplate, max_tokens: int, positions: int | None = None) -> PromptTemplate:
    """The template to train, and later to ask, with: one that reads the file cuts it so that pairs have `max_tokens`.

    Templates without the file are as they were: pairs that are longer are left out.

    Args:
        positions: Most tokens that the model can read; None where there is no fixed limit.
    """
    if not template.uses_context:
        return template
    maximum = max_tokens if positions is None else min(max_tokens, positions)
    max_length = max(1, maximum - min(template.max_new_tokens, max(1, maximum // 2)))
    return template.shortened(max_length)


def encode_pairs(
    tokenizer: Any,
    template: PromptTemplate,
    pairs: Sequence[Example],
    max_tokens: int,
    positions: int | None = None,
) -> list[dict[str, list[int]]]:
    """``input_ids`` and ``labels`` of each pair; the loss is on the answer and the end token alone.

    A causal model reads both as one text. An encoder-decoder model reads the prompt, and the labels are those of its
    decoder. The prompt is made, and cut where it is too long, by what makes it when the model is used; prompt and
    answer are encoded apart, because that is how the answer is generated later. A template with two prompts gives two
    examples a pair. Those of more than ``max_tokens`` tokens in both together are left out.

    Args:
        positions: Most tokens that the model can read; None where there is no fixed limit.
    """
    if not pairs:
        return []
    limit = _capacity(template, positions)

    def of(pair: Example) -> list[dict[str, list[int]]]:
        examples = []
        prompt_input = pair.prompt_input()
        for part, _ in template.draws(prompt_input, 2):
            try:
                read = encode(part, prompt_input, tokenizer, limit).input_ids
            except ModelError:  # there is no room for a goal, or nothing to read
                continue
            answer = tokenizer(answer_text(part, prompt_input, pair.tactic), add_special_tokens=False)["input_ids"]
            written = [*answer, tokenizer.eos_token_id]
            if len(read) + len(written) > max_tokens:
                continue
            if part.family == "seq2seq":
                examples.append({"input_ids": read, "labels": written})
            else:
                examples.append({"input_ids": read + written, "labels": [IGNORED] * len(read) + written})
        return examples

    first, *others = pairs
    found = of(first)  # alone, as a tokenizer may set itself up in its first call
    if not template.uses_context:
        return [*found, *(example for pair in others for example in of(pair))]
    # To cut a file, parts of it are tokenized many times; tokenizers in Rust do this beside each other.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [*found, *(example for made in pool.map(of, others) for example in made)]


def _capacity(template: PromptTemplate, positions: int | None) -> int:
    """Most tokens of a prompt that the model has room for when it is used."""
    if positions is None:
        return template.max_prompt_tokens
    return positions if template.family == "seq2seq" else positions - min(template.max_new_tokens, positions // 2)
