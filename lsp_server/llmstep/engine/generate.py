"""Samples by `generate` of transformers: for every model on a GPU, and on CPUs where our decoder does not know one."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from llmstep.decoder import Continuation, SamplingParams
from llmstep.decoder.interface import stop_if
from llmstep.decoder.model import MAX_ROWS
from llmstep.decoder.rows import Rows
from llmstep.engine.loaded import LoadedModel

_log = logging.getLogger(__name__)

_GRANULE = 512
"""Keys and values of a GPU's cache grow by so many tokens: each other size means compiling the step again."""
_ROWS = 10


def is_static(loaded: LoadedModel) -> bool:
    """Whether the cache has a fixed size, with which `generate` compiles its step: on CUDA, for decoder-only models.

    The keys of an encoder's input have its length, and each length would be compiled for.
    """
    return loaded.device.startswith("cuda") and loaded.start_id is None


def compile_step(loaded: LoadedModel) -> None:
    """Have the step compiled before the first request, where that is done; where it fails, steps are not compiled."""
    if not is_static(loaded):
        return
    ids = torch.zeros(1, 8, dtype=torch.int64, device=loaded.device)
    config = GenerationConfig(
        max_new_tokens=4, num_return_sequences=_ROWS, do_sample=True, pad_token_id=loaded.pad_id, **_cache(loaded, 12)
    )
    try:
        loaded.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        _log.warning("the step of %s cannot be compiled, it is run as it is: %s", loaded.plan.name, error)
        loaded.compiles = False


def _cache(loaded: LoadedModel, tokens: int) -> dict[str, Any]:
    if not is_static(loaded):
        return {}
    size = {"max_cache_len": -(-tokens // _GRANULE) * _GRANULE} if hasattr(GenerationConfig(), "max_cache_len") else {}
    return {"cache_implementation": "static", "disable_compile": not loaded.compiles, **size}


def sample(
    loaded: LoadedModel,
    ids: Sequence[int],
    n: int,
    params: SamplingParams,
    *,
    prefix: Sequence[int],
    on_end: Callable[[int, Continuation], None] | None,
    progress: Callable[[int], None],
    cancel: Callable[[], bool],
) -> list[Continuation]:
    """As `Decoder.sample`, by a module of transformers."""
    greedy, before = params.temperature <= 0, ids if loaded.start_id is None else prefix
    config = GenerationConfig(
        max_new_tokens=params.max_length,
        eos_token_id=sorted(loaded.end_ids) or None,
        pad_token_id=loaded.pad_id,
        decoder_start_token_id=loaded.start_id,
        do_sample=not greedy,
        **_cache(loaded, len(ids) + params.max_length),
        **({} if greedy else {"temperature": params.temperature, "top_p": params.top_p, "top_k": 0}),
    )
    input_ids = torch.tensor([ids], device=loaded.device)  # [1, prompt]; generate repeats it for every sample
    inputs = {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}
    if loaded.start_id is not None:
        inputs["decoder_input_ids"] = torch.tensor([[loaded.start_id, *prefix]], device=loaded.device)
    steps = 0
    found: list[Continuation] = []
    while len(found) < n:
        stop_if(cancel)
        first = len(found)
        config.num_return_sequences = min(MAX_ROWS, n - first)
        rows = Rows(loaded.tokenizer, loaded.end_ids, before, config.num_return_sequences, params)

        def after_step(ended: list[int], first: int = first, rows: Rows = rows) -> None:
            nonlocal steps
            steps += 1
            if on_end is not None:
                for number in ended:
                    on_end(first + number, rows.sample(number))
            progress(steps)
            stop_if(cancel)

        watch = _Steps(rows, after_step)
        with _seeded(None if params.seed is None else params.seed + first, loaded.device):
            loaded.model.generate(
                **inputs,
                generation_config=config,
                logits_processor=LogitsProcessorList([watch.see_logits]),
                stopping_criteria=StoppingCriteriaList([watch.see_tokens]),
            )
        found += [rows.sample(number) for number in range(config.num_return_sequences)]
    return found


class _Steps:
    """Sees the model's own distribution, before temperature and nucleus change it, and then what was drawn."""

    def __init__(self, rows: Rows, after_step: Callable[[list[int]], None]) -> None:
        self._rows = rows
        self._after_step = after_step
        self._logits: torch.Tensor | None = None

    def see_logits(self, _input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Called by `generate` with the model's own logits, shape [count, vocabulary], in float32."""
        if torch.isnan(logits).any():
            raise ArithmeticError("its logits are not numbers")
        self._logits = logits
        return logits

    def see_tokens(self, input_ids: torch.Tensor, _scores: object, **_: Any) -> torch.Tensor:
        """Called by `generate` with the tokens so far, shape [count, length]; says which samples are finished."""
        assert self._logits is not None
        chosen = input_ids[:, -1:]
        logprobs = self._logits.gather(1, chosen) - self._logits.logsumexp(1, keepdim=True)
        self._logits = None
        every = range(len(chosen))
        finished = self._rows.take(every, chosen[:, 0].tolist(), logprobs[:, 0].tolist())
        self._after_step(finished)
        return torch.tensor([self._rows.ended(number) for number in every], device=input_ids.device)


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
