"""Activation functions by the names that configurations use, each as one tensor operation."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional

_TWICE = 2 * math.sqrt(2 / math.pi)

Activation = Callable[[torch.Tensor], torch.Tensor]


def _gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    """GELU with a hyperbolic tangent, x σ(2 √(2/π) (x + 0.044715 x³)).

    torch's own takes more than twice as long on CPUs with AVX-512 (docs/speed.md).
    """
    inner = x * x
    return inner.mul_(0.044715 * _TWICE).add_(_TWICE).mul_(x).sigmoid_().mul_(x)


_BY_NAME: dict[str, Activation] = {
    "gelu": functional.gelu,
    "gelu_new": _gelu_tanh,
    "gelu_fast": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": functional.relu,
    "silu": functional.silu,
    "swish": functional.silu,
}


def activation(name: str) -> Activation | None:
    """The function; None for a name that is not known here."""
    return _BY_NAME.get(name)
