"""How much memory a model takes: the one rule for choosing, refusing and showing models."""

from __future__ import annotations

HEADROOM = 1.3
"""Memory while a model works, over that of its weights: activations, and the keys and values of the tokens."""

BYTES: dict[str, float] = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "int4": 0.57}
"""Bytes of one weight; in four bits with the scale of its group."""

SMALL = 15_000_000
"""Parameters below which a model stays in float32 on a CPU, since nothing is gained by fewer bits."""


def weight_bytes(parameters: int, device: str, dtype: str = "auto", own: str = "bfloat16") -> int:
    """Memory for the weights of a model.

    Args:
        device: `cpu`, `cuda` or `mps`.
        dtype: As in the settings; `auto` and `fast` are eight bits on a CPU.
        own: The model's own format, for GPUs.
    """
    if dtype not in BYTES:
        dtype = own if device != "cpu" else "int8" if parameters >= SMALL else "float32"
    return round(parameters * BYTES[dtype])


def needed_bytes(weights: float) -> int:
    """Memory that has to be free for a model with weights of so many bytes."""
    return round(weights * HEADROOM)
