"""How large a model will be in memory, by the headers of its files."""

from __future__ import annotations

import math
from pathlib import Path

from llmstep.decoder import weights
from llmstep.decoder.folder import ModelFolder
from llmstep.decoder.interface import SMALL, Footprint, MemoryShortError, Quantization
from llmstep.decoder.source import KEPT
from llmstep.decoder.weights import Kind

_TOKENS = 2048
"""Tokens of a usual prompt and its samples, at most."""
_EMBEDDINGS = ("embed_in.weight", "embed_tokens.weight", "shared.weight")
_HEADS = ("lm_head.weight", "embed_out.weight")


def measure(folder: Path | str, quantization: Quantization = "auto", max_memory: int | None = None) -> Footprint:
    """The size that a model would have, and with `auto` the format; by the headers of its files.

    Raises:
        UnsupportedError, DamagedError, MemoryShortError: As `load`.
    """
    return choose(ModelFolder(Path(folder)), quantization, max_memory)


def choose(model: ModelFolder, quantization: Quantization, max_memory: int | None) -> Footprint:
    """The format for a model, and its size in it.

    Raises:
        MemoryShortError: It does not fit into `max_memory`.
    """
    found = of(model, "float32" if quantization == "auto" else quantization)
    if quantization == "auto" and found.parameters >= SMALL:
        found = of(model, "int8")
        if max_memory is not None and _with_cache(model, found) > max_memory:
            found = of(model, "int4")
    if max_memory is not None and (needed := _with_cache(model, found)) > max_memory:
        raise MemoryShortError(
            f"The model in {model.path} needs about {needed / 1e9:.1f} GB of memory in {found.quantization}, "
            f"and {max_memory / 1e9:.1f} GB are free.",
            "Close other programs, or use a smaller model.",
        )
    return found


def of(model: ModelFolder, kind: Kind) -> Footprint:
    """The size of a model in a format."""
    shapes = {
        name: file.shape(name)
        for name, file in model.tensors.items()
        if len(file.shape(name)) <= 2 and file.dtype(name) in ("F64", "F32", "F16", "BF16")
    }
    tied = not any(name in shapes for name in _HEADS)
    total = 0
    for name, shape in shapes.items():
        embedding = name.endswith(_EMBEDDINGS)
        if embedding and 4 * math.prod(shape) <= KEPT:
            total += 4 * math.prod(shape)
        if len(shape) != 2:
            total += 4 * math.prod(shape)
        elif not embedding or (tied and name.endswith(_EMBEDDINGS) and not name.startswith(("encoder", "decoder"))):
            head = embedding or name in _HEADS
            total += weights.bytes_of("int8" if head and kind == "int4" else kind, *shape)
    return Footprint(kind, sum(map(math.prod, shapes.values())), total)


def _with_cache(model: ModelFolder, size: Footprint) -> int:
    """Bytes of a model with the keys and values of a usual prompt, and the memory between its products."""
    config = model.config
    numbers = config.layers * config.key_heads * config.width
    return size.weight_bytes + 2 * numbers * _TOKENS * 4 + 40 * _TOKENS * config.hidden
