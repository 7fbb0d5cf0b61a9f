"""Draws continuations of a prompt from a language model on CPUs: weights, tokens and log-probabilities, nothing else.

    model = load(folder)
    for each in model.sample("theorem", 10, SamplingParams(max_tokens=32)):
        print(each.text, each.logprob)

This page is all that other code needs to know. The package imports nothing of the rest of llmstep, and neither torch
nor transformers; what takes time to import is imported by `load`. README.md has the design, the figures, the limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llmstep.decoder.interface import (
    Continuation,
    DamagedError,
    DecoderError,
    Footprint,
    Lead,
    MemoryShortError,
    Progress,
    Quantization,
    SamplingParams,
    StoppedError,
    Tokenizer,
    UnsupportedError,
)
from llmstep.decoder.model import Decoder

__all__ = [
    "Continuation",
    "DamagedError",
    "Decoder",
    "DecoderError",
    "Footprint",
    "Lead",
    "MemoryShortError",
    "Progress",
    "Quantization",
    "SamplingParams",
    "StoppedError",
    "Tokenizer",
    "UnsupportedError",
    "load",
    "measure",
    "prepare",
    "supports",
    "why_unsupported",
    "why_unsupported_adapter",
]


def load(
    folder: Path | str,
    *,
    quantization: Quantization = "auto",
    threads: int | None = None,
    max_memory: int | None = None,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    adapter: Path | None = None,
    cache: Path | None = None,
) -> Decoder:
    """Read the model in a folder of files as the hub has them: config.json, safetensors, tokenizer.

    A model in int8 or int4 is quantized once and kept in the user's cache, so that the next start reads few bytes.
    The first load on a machine compiles the decoder, which takes half a minute.

    Args:
        threads: Threads of the products; None takes one for small models, else one for each core.
        max_memory: Bytes that the model may take, with the keys and values of a usual prompt; None for no limit.
        cancel: Asked between two weights.
        adapter: Folder of a LoRA adapter that is put into the weights.
        cache: Folder for quantized models; None takes the user's.

    Raises:
        UnsupportedError, DamagedError, MemoryShortError, StoppedError
    """
    from llmstep.decoder.loading import load as read

    return read(
        Path(folder),
        quantization=quantization,
        threads=threads,
        max_memory=max_memory,
        progress=progress or (lambda what, share: None),
        cancel=cancel or (lambda: False),
        adapter=adapter,
        cache=cache,
    )


def measure(folder: Path | str, quantization: Quantization = "auto", max_memory: int | None = None) -> Footprint:
    """The size that a model would have, and with `auto` the format; by the headers of its files.

    Raises:
        UnsupportedError, DamagedError, MemoryShortError: As `load`.
    """
    from llmstep.decoder.folder import ModelFolder
    from llmstep.decoder.footprint import choose

    return choose(ModelFolder(Path(folder)), quantization, max_memory)


def prepare(progress: Progress | None = None, *, folder: Path | str | None = None) -> None:
    """Compile the decoder for this processor, where that has not been done; `load` does so too.

    Args:
        folder: A model; nothing is compiled where it can do without.

    Raises:
        UnsupportedError, DamagedError: As `load`.
    """
    from llmstep.decoder.loading import has_numba, is_compiled

    if has_numba() and (folder is None or is_compiled(Path(folder))):
        from llmstep.decoder.compiled.ready import ready

        ready(progress or (lambda what, share: None))


def supports(config: Mapping[str, Any]) -> bool:
    """Whether models with this configuration (the contents of config.json) can be run."""
    from llmstep.decoder.config import why_not

    return why_not(config) is None


def why_unsupported(folder: Path | str) -> str | None:
    """Why the model in a folder cannot be run, as a sentence; None where it can, as far as its small files say."""
    from llmstep.decoder.folder import why_not

    return why_not(Path(folder))


def why_unsupported_adapter(folder: Path) -> str | None:
    """Why the LoRA adapter in a folder cannot be put into weights, as a sentence; None where it can."""
    from llmstep.decoder.adapter import why_not

    return why_not(folder)
