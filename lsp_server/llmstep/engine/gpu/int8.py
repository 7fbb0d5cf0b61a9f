"""Products with weights in eight bits on a GPU, with activations that keep fifteen.

A row of activations is rounded to multiples of a 16256th of its largest number and written as two digits of eight bits,
so that the product of bytes that CUDA devices have does for both: 128 times the one for the high digits, plus the one
for the low ones. The weights are read once, one byte each. Torch's own product of floats with bytes has, on CUDA, one
thread for each output that reads its weights one by one (torch 2.13).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.engine.linear import Linear

_LARGEST = 127 * 128
_TINY = 1e-30
_SLICE = 4096
"""Outputs that are treated at once, so that little memory is needed beside the weight."""
_FEWEST = 32
"""Rows of a product of bytes; cuBLAS wants more than 16."""


@attrs.frozen(eq=False)
class Bytes:
    """A weight: `matrix * scales[:, None]` is about the original."""

    matrix: torch.Tensor
    """int8, [out, in]"""
    scales: torch.Tensor
    """float32, [out]"""


def quantize(weights: Sequence[torch.Tensor], device: torch.device) -> Bytes:
    """Several weights [out, in] with the same input as one, on a device; each number is off by half a scale at most."""
    parts, scales = [], []
    for weight in weights:
        for rows in weight.split(_SLICE):
            exact = rows.to(device).float()
            scale = exact.abs().amax(1).clamp_min_(_TINY) / 127
            parts.append((exact / scale[:, None]).round_().to(torch.int8))
            scales.append(scale)
    return Bytes(torch.cat(parts), torch.cat(scales))


def product(weight: Bytes, bias: torch.Tensor | None) -> Linear:
    """The product, in the format of what it is multiplied with."""
    matrix = weight.matrix
    if matrix.shape[0] % 8 or matrix.shape[1] % 8 or not works(str(matrix.device)):
        return functools.partial(_by_floats, weight, bias)
    return functools.partial(_by_bytes, weight, bias)


def _by_bytes(weight: Bytes, bias: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor:
    exact = x.float()
    row_scales = exact.abs().amax(-1, keepdim=True).clamp_min_(_TINY) / _LARGEST  # [rows, 1]
    whole = (exact / row_scales).round_()
    high = (whole / 128).round_()
    digits = torch.cat((high, whole.sub_(high, alpha=128))).to(torch.int8)  # [2 rows, in]
    rows = len(x)
    if len(digits) < _FEWEST:
        digits = functional.pad(digits, (0, 0, 0, _FEWEST - len(digits)))
    sums = torch._int_mm(digits, weight.matrix.t())
    out = sums[rows : 2 * rows].float().add_(sums[:rows], alpha=128).mul_(row_scales).mul_(weight.scales)
    return (out if bias is None else out.add_(bias)).to(x.dtype)


def _by_floats(weight: Bytes, bias: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor:
    """Where there is no product of bytes: slices of the weight as floats, one after the other."""
    pairs = zip(weight.matrix.split(_SLICE), weight.scales.split(_SLICE), strict=True)
    out = [functional.linear(x, matrix.to(x.dtype) * scales[:, None].to(x.dtype)) for matrix, scales in pairs]
    joined = torch.cat(out, -1)
    return joined if bias is None else joined + bias


@functools.cache
def works(device: str) -> bool:
    """Whether a device has exact products of bytes."""
    generator = torch.Generator().manual_seed(1)
    one, other = torch.randint(-127, 128, (2, 64, 256), generator=generator, dtype=torch.int8)
    try:
        found = torch._int_mm(one[:_FEWEST].to(device), other.to(device).t()).cpu()
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
    return bool(torch.equal(found, one[:_FEWEST].int() @ other.int().T))
