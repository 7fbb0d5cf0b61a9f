"""Weights in eight bits on the CPU, with one scale for each output and one for each row of activations.

A weight is divided by the largest of its output's numbers and rounded to -127..127; a row of activations is treated the
same way at every product. Sums are exact integers, so that a row's result does not depend on the rows beside it, which
one scale for all of a batch's activations (as `torch.ao.quantization.quantize_dynamic` has) would not give.

The kernel is oneDNN's, for unsigned activations: they are moved up by 128.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs
import torch

if TYPE_CHECKING:
    from llmstep.engine.linear import Linear, Weight

_ZERO = 128
_TINY = 1e-30


@attrs.frozen(eq=False)
class Quantized:
    """A weight in eight bits: `matrix * scales[:, None]` is about the original."""

    matrix: torch.Tensor
    """int8, [out, in]"""
    scales: torch.Tensor
    """float32, [out]"""
    bias: torch.Tensor | None = None
    """float32, [out]"""


def quantize(weight: Weight) -> Quantized:
    """Each number is off by half of its output's scale, a 254th of the largest, at most."""
    matrix = weight.matrix.float()
    scales = matrix.abs().amax(1).clamp_min_(_TINY) / 127
    bias = None if weight.bias is None else weight.bias.float()
    return Quantized((matrix / scales[:, None]).round_().to(torch.int8), scales, bias)


def product(weight: Quantized) -> Linear:
    """The product with a weight in eight bits; it keeps a copy in the kernel's own order and not `weight.matrix`."""
    return ordered_product(in_order(weight.matrix), weight.scales, weight.bias)


def in_order(matrix: torch.Tensor) -> torch.Tensor:
    """A weight, int8 [out, in], in the kernel's own order: an opaque tensor of oneDNN."""
    ordered: torch.Tensor = torch.ops.onednn.qlinear_prepack(matrix, None)
    return ordered


def ordered_product(packed: torch.Tensor, scales: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    """The product with a weight that is in the kernel's order already."""
    zeros = torch.zeros(len(scales), dtype=torch.int32)
    run = torch.ops.onednn.qlinear_pointwise

    def multiply(x: torch.Tensor) -> torch.Tensor:
        row_scales = x.abs().amax(-1, keepdim=True).clamp_min_(_TINY).div_(127)  # [rows, 1]
        # The cast cuts off, so that a half more rounds.
        whole = (x / row_scales).add_(_ZERO + 0.5).to(torch.uint8)
        out: torch.Tensor = run(
            whole, 1.0, _ZERO, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
        ).mul_(row_scales)
        return out if bias is None else out.add_(bias)

    return multiply


@functools.cache
def works() -> bool:
    """Whether the kernel is here and exact on this CPU.

    Without instructions for dot products of bytes, sums of two products may be cut off at 16 bits; the largest numbers
    show it.
    """
    try:
        rows = torch.full((3, 512), 127.0)
        rows[1] = -127.0
        rows[2, ::2] = -127.0
        matrix = torch.full((64, 512), 127, dtype=torch.int8)
        matrix[1::2] = -127
        matrix[2::4, ::2] = -127
        got = product(Quantized(matrix, torch.ones(64)))(rows)
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
    return bool(torch.equal(got, rows @ matrix.float().T))
