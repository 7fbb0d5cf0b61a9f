"""What the tests of decoding compare with: plain `generate`, a forward pass by hand, and the tokens of every sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from llmstep.decoder.rows import Rows
from llmstep.engine.prompt import EncodedPrompt
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    import pytest

    from llmstep.decoder import Continuation
    from llmstep.engine.loaded import LoadedModel

FAMILIES = ("neox", "llama", "byt5")

GREEDY = SamplingParams(count=1, temperature=0, max_new_tokens=12)


def prompt_for(loaded: LoadedModel, text: str = "[GOAL]⊢ p → q[PROOFSTEP]", prefix: str = "") -> EncodedPrompt:
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    prefix_ids = loaded.tokenizer(prefix, add_special_tokens=False)["input_ids"] if prefix else []
    if loaded.start_id is None:
        return EncodedPrompt([*ids, *prefix_ids])
    return EncodedPrompt([*ids, loaded.tokenizer.eos_token_id], prefix_ids)


def plain_greedy(loaded: LoadedModel, prompt: EncodedPrompt, steps: int) -> list[int]:
    """New token ids of `model.generate` with nothing of ours in between."""
    extra: dict[str, Any] = {"eos_token_id": sorted(loaded.end_ids), "pad_token_id": loaded.pad_id}
    start = len(prompt.input_ids)
    if loaded.start_id is not None:
        extra["decoder_input_ids"] = torch.tensor([[loaded.start_id, *prompt.decoder_ids]])
        extra["decoder_start_token_id"] = loaded.start_id
        start = 1 + len(prompt.decoder_ids)
    ids = torch.tensor([prompt.input_ids])
    out = loaded.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=steps, **extra
    )
    return out[0, start:].tolist()


def logprob_by_hand(loaded: LoadedModel, prompt: EncodedPrompt, new: list[int]) -> float:
    """Sum of log-probabilities of `new` behind the prompt, from one forward pass over everything."""
    with torch.inference_mode():
        if loaded.start_id is None:
            ids = [*prompt.input_ids, *new]
            logits = loaded.model(input_ids=torch.tensor([ids])).logits[0]
            first = len(prompt.input_ids)
        else:
            ids = [loaded.start_id, *prompt.decoder_ids, *new]
            logits = loaded.model(
                input_ids=torch.tensor([prompt.input_ids]), decoder_input_ids=torch.tensor([ids])
            ).logits[0]
            first = 1 + len(prompt.decoder_ids)
        table = torch.log_softmax(logits.float(), dim=-1)
        return sum(float(table[place - 1, ids[place]]) for place in range(first, len(ids)))


class Recorder:
    """Keeps the tokens of every sample, batch by batch, by standing before the object that collects them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._batches: dict[Rows, dict[int, list[int]]] = {}
        original = Rows.sample

        def sample(rows: Rows, number: int) -> Continuation:
            made = original(rows, number)
            self._batches.setdefault(rows, {})[number] = list(made.tokens)
            return made

        monkeypatch.setattr(Rows, "sample", sample)

    @property
    def batches(self) -> list[list[list[int]]]:
        return [[tokens for _, tokens in sorted(batch.items())] for batch in self._batches.values()]
