"""Samples by `generate` of transformers, for models that `llmstep.engine.network` does not know."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.prompt import EncodedPrompt
    from llmstep.engine.rows import Rows
    from llmstep.types import Sampling


def generate(
    loaded: LoadedModel,
    prompt: EncodedPrompt,
    sampling: Sampling,
    rows: Rows,
    after_step: Callable[[list[int]], None],
) -> None:
    """Draw all of `rows` at once.

    Args:
        loaded: The model.
        prompt: What to continue.
        sampling: How to draw; the count is that of `rows`.
        rows: Filled.
        after_step: Called after every step with the numbers of the samples that it finished; may raise to stop.
    """
    device = loaded.device
    greedy = sampling.temperature <= 0
    config = GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        num_return_sequences=rows.count,
        eos_token_id=sorted(loaded.end_ids) or None,
        pad_token_id=loaded.pad_id,
        decoder_start_token_id=loaded.start_id,
        do_sample=not greedy,
        **({} if greedy else {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}),
    )
    input_ids = torch.tensor([prompt.input_ids], device=device)  # [1, prompt]; generate repeats it for every sample
    extra = {}
    if loaded.start_id is not None:
        extra["decoder_input_ids"] = torch.tensor([[loaded.start_id, *prompt.decoder_ids]], device=device)
    steps = _Steps(rows, after_step)
    with _seeded(sampling.seed, device):
        loaded.model.generate(
            input_ids=input_ids,
            attention_mask=torch.ones_like(input_ids),
            generation_config=config,
            logits_processor=LogitsProcessorList([steps.see_logits]),
            stopping_criteria=StoppingCriteriaList([steps.see_tokens]),
            **extra,
        )


class _Steps:
    """Sees the model's own distribution, before temperature and nucleus change it, and then what was drawn."""

    def __init__(self, rows: Rows, after_step: Callable[[list[int]], None]) -> None:
        self._rows = rows
        self._after_step = after_step
        self._logits: torch.Tensor | None = None

    def see_logits(self, _input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Called by `generate` with the model's own logits, shape [count, vocabulary], in float32."""
        self._logits = logits
        return logits

    def see_tokens(self, input_ids: torch.Tensor, _scores: object, **_: Any) -> torch.Tensor:
        """Called by `generate` with the tokens so far, shape [count, length]; says which samples are finished."""
        assert self._logits is not None
        chosen = input_ids[:, -1:]
        logprobs = self._logits.gather(1, chosen) - self._logits.logsumexp(1, keepdim=True)
        self._logits = None
        every = range(self._rows.count)
        finished = self._rows.take(every, chosen[:, 0].tolist(), logprobs[:, 0].tolist())
        self._after_step(finished)
        return torch.tensor([self._rows.done(number) for number in every], device=input_ids.device)


@contextlib.contextmanager
def _seeded(seed: int | None, device: str) -> Iterator[None]:
    """Draws that depend on `seed` alone; afresh for None. torch's generators are left as they were.

    `generate` takes no generator of its own, hence the global ones are set for the time of the draw.
    """
    if seed is None:
        seed = secrets.randbits(63)  # a fresh process would otherwise always start with the same numbers
    with torch.random.fork_rng(devices=[torch.device(device)] if device.startswith("cuda") else []):
        torch.manual_seed(seed)
        yield
