"""Pairs of goal and tactic as the token sequences that a model learns from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmstep.errors import SettingsError
from llmstep.types import Ask, Goal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import torch

    from llmstep.catalog.template import PromptTemplate

IGNORED = -100
"""Label of the positions that do not count in the loss."""


def read_pairs(file: Path) -> list[tuple[str, str]]:
    """The ``(goal, tactic)`` pairs of a JSONL file; other keys of a line are ignored.

    Raises:
        SettingsError: The file cannot be read, holds no pair, or a line is none; the line is named.
    """
    pairs = []
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                    goal, tactic = record["goal"], record["tactic"]
                except (ValueError, TypeError, KeyError) as error:
                    raise SettingsError(
                        f"Line {number} of {file} is no pair.",
                        hint='Each line has the form {"goal": "...", "tactic": "..."}.',
                    ) from error
                if not isinstance(goal, str) or not isinstance(tactic, str):
                    raise SettingsError(f"Line {number} of {file} is no pair of texts.", hint="Write both as strings.")
                pairs.append((goal, tactic))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.", hint="Check the path.") from error
    if not pairs:
        raise SettingsError(f"{file} holds no pairs.", hint="Give a JSONL file with at least one line.")
    return pairs


def prompt_and_answer(template: PromptTemplate, goal: str, tactic: str) -> tuple[str, str]:
    """The text that the model is shown and the text that it learns to write, without the end token."""
    prompt = template.prompt(Ask(Goal.from_state(goal)))
    return prompt, template.prefix_lead + tactic + (template.stops[0] if template.stops else "")


def encode_pairs(
    tokenizer: Any, template: PromptTemplate, pairs: Iterable[tuple[str, str]], max_tokens: int
) -> list[dict[str, list[int]]]:
    """``input_ids`` and ``labels`` of each pair; the loss is on the answer and the end token alone.

    A causal model reads both as one text. An encoder-decoder model reads the prompt, and the labels are those of its
    decoder. Prompt and answer are encoded apart, because that is how the answer is generated later. Pairs of more than
    ``max_tokens`` tokens in both together are left out.
    """
    texts = [prompt_and_answer(template, goal, tactic) for goal, tactic in pairs]
    if not texts:
        return []
    with_special = template.special == "bos"
    prompts = tokenizer([prompt for prompt, _ in texts], add_special_tokens=with_special)["input_ids"]
    answers = tokenizer([answer for _, answer in texts], add_special_tokens=False)["input_ids"]
    examples = []
    for prompt, answer in zip(prompts, answers, strict=True):
        read = [*prompt, tokenizer.eos_token_id] if template.special == "eos" else list(prompt)
        written = [*answer, tokenizer.eos_token_id]
        if len(read) + len(written) > max_tokens:
            continue
        if template.family == "seq2seq":
            examples.append({"input_ids": read, "labels": written})
        else:
            examples.append({"input_ids": read + written, "labels": [IGNORED] * len(read) + written})
    return examples


class Padding:
    """Collates examples into one batch, padded on the right to its longest.

    Args:
        start: First token of the decoder of an encoder-decoder model; None for causal models.
    """

    def __init__(self, pad: int, start: int | None = None) -> None:
        self.pad = pad
        self.start = start

    def __call__(self, examples: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        """``input_ids``, ``attention_mask`` and ``labels``, each ``(batch, longest)``, int64.

        For an encoder-decoder model the labels are as long as the longest answer, and ``decoder_input_ids`` are the
        same moved by one behind the start token.
        """
        import torch

        ids = _even([example["input_ids"] for example in examples], self.pad)
        labels = _even([example["labels"] for example in examples], IGNORED)
        batch = {
            "input_ids": torch.tensor(ids),
            "attention_mask": torch.tensor(_even([[1] * len(example["input_ids"]) for example in examples], 0)),
            "labels": torch.tensor(labels),
        }
        if self.start is not None:
            before = _even([[self.start, *example["labels"][:-1]] for example in examples], self.pad)
            batch["decoder_input_ids"] = torch.tensor(before)
        return batch


def _even(rows: list[list[int]], filling: int) -> list[list[int]]:
    """The rows, filled up on the right to the longest of them."""
    longest = max(map(len, rows))
    return [row + [filling] * (longest - len(row)) for row in rows]
