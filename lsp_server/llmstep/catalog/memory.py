"""How much memory a model takes: the one rule for choosing, refusing and showing models."""

from __future__ import annotations

from collections.abc import Sequence

from llmstep.decoder.interface import SMALL
from llmstep.errors import ModelTooLargeError
from llmstep.progress import format_bytes

HEADROOM = 1.3
"""Memory while a model works, over that of its weights: activations, and the keys and values of the tokens."""

BYTES: dict[str, float] = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "int4": 0.57}
"""Bytes of one weight; in four bits with the scale of its group."""


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


def parameters_of(file_bytes: int, dtype: str) -> int:
    """About how many parameters files of so many bytes have; one in a format that is not known counts as float32."""
    return int(file_bytes / BYTES.get(dtype, 4))


def too_large(name: str, weights: int, dtype: str, device: str, free: int, ways: Sequence[str]) -> ModelTooLargeError:
    """The error for a model for which `free` bytes are not enough.

    Args:
        device: With what else there is to say of the place.
        ways: What helps, beside closing other programs.
    """
    hint = ", or ".join(["close other programs", *ways])
    return ModelTooLargeError(
        f"The model {name} needs about {format_bytes(needed_bytes(weights))} of memory in {dtype} on {device}, "
        f"and {format_bytes(free)} are free.",
        hint=f"{hint[0].upper()}{hint[1:]}.",
    )


def needed_bytes(weights: float) -> int:
    """Memory that has to be free for a model with weights of so many bytes."""
    return round(weights * HEADROOM)
