"""Products with weights in four bits, by torch's own kernels.

Each group of neighbouring inputs of an output has a scale and a zero of its own: a weight is (q - 8) scale + zero,
with q from 0 to 15. On CUDA the kernel takes and gives bfloat16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.engine.linear import Linear

_GROUPS = (128, 64, 32)
"""Inputs of a group; the first by which their number can be divided."""
_SLICE = 4096
"""Outputs that are treated at once, so that little memory is needed beside the weight."""
_TINY = 1e-6


@attrs.frozen(eq=False)
class Nibbles:
    """A weight in four bits."""

    packed: torch.Tensor
    """In the kernel's own order."""
    scales_and_zeros: torch.Tensor
    """[in / group, out, 2], in the format of the activations"""
    group: int


def fits(outputs: int, inputs: int, device: torch.device) -> bool:
    """Whether the kernel can take a weight of this shape."""
    return _group(inputs) > 0 and outputs % (16 if device.type == "cpu" else 8) == 0


def quantize(weights: Sequence[torch.Tensor], device: torch.device, dtype: torch.dtype) -> Nibbles:
    """Several weights [out, in] with the same input as one, on a device.

    Each number is off by half a scale, a thirtieth of the distance of its group's extremes, at most, and by what
    rounding scale and zero to `dtype` adds.

    Args:
        dtype: Format of activations, scales and zeros.
    """
    group = _group(weights[0].shape[1])
    values, pairs = [], []
    for weight in weights:
        for rows in weight.split(_SLICE):
            exact = rows.to(device).float().view(len(rows), -1, group)
            least, most = exact.amin(-1), exact.amax(-1)
            scale = ((most - least) / 15).clamp_min_(_TINY).to(dtype)
            zero = (least + 8 * scale.float()).to(dtype)
            q = ((exact - zero.float()[..., None]) / scale.float()[..., None] + 8).round_().clamp_(0, 15)
            values.append(_halved(q.view(len(rows), -1).to(torch.uint8)))
            pairs.append(torch.stack((scale, zero), -1))
    packed = _pack(torch.cat(values))
    return Nibbles(packed, torch.cat(pairs).transpose(0, 1).contiguous(), group)


def product(weight: Nibbles, bias: torch.Tensor | None) -> Linear:
    """The product."""
    packed, pairs, group = weight.packed, weight.scales_and_zeros, weight.group
    run = torch._weight_int4pack_mm_for_cpu if packed.device.type == "cpu" else torch._weight_int4pack_mm

    def multiply(x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = run(x.contiguous(), packed, group, pairs)
        return out if bias is None else out.add_(bias)

    return multiply


def _group(inputs: int) -> int:
    return next((group for group in _GROUPS if inputs % group == 0), 0)


def _halved(values: torch.Tensor) -> torch.Tensor:
    """Two neighbours in a byte, the first in its upper half; uint8 [out, in] to [out, in / 2]."""
    return values[:, ::2] << 4 | values[:, 1::2]


def _pack(halved: torch.Tensor) -> torch.Tensor:
    """In the order of the kernel of the device."""
    if halved.device.type == "cpu":
        values = torch.stack((halved >> 4, halved & 15), -1).flatten(1)
        packed: torch.Tensor = torch._convert_weight_to_int4pack_for_cpu(values.int(), 2)
        return packed
    inputs = 2 * halved.shape[1]
    tiles = next(tiles for tiles in (8, 4, 2) if inputs % (16 * tiles) == 0)
    in_tiles: torch.Tensor = torch._convert_weight_to_int4pack(halved, tiles)
    return in_tiles
