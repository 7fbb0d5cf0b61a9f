"""Weights in eight bits, in the order in which tiles read them.

[outputs / 32, inputs / 4, 32 outputs, 4 inputs]: a tile's weights are one run of memory. The order is the same on every
machine, so that bytes on disk are bytes in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from llmstep.engine.int8 import Quantized

TILE = 32
"""Outputs of a tile; as `tiles.OUTPUTS`, which needs numba."""
QUARTER = 4
"""Inputs that one instruction multiplies."""


@attrs.frozen(eq=False)
class TiledWeight:
    """A weight for `Program.product`."""

    outputs: int
    inputs: int
    matrix: torch.Tensor
    """int8, [tiles, quarters, 32, 4]; what is beyond the weight is 0."""
    sums: torch.Tensor
    """int32, [tiles x 32]: 128 times the sum of each output, which activations of 128 for 0 add too much."""
    scales: torch.Tensor
    """float32, [tiles x 32]"""
    bias: torch.Tensor
    """float32, [tiles x 32]"""

    @property
    def tiles(self) -> int:
        return tiles(self.outputs)

    @property
    def quarters(self) -> int:
        return quarters(self.inputs)


def tiles(outputs: int) -> int:
    """Tiles that hold so many outputs."""
    return -(-outputs // TILE)


def quarters(inputs: int) -> int:
    """Groups of four that hold so many inputs."""
    return -(-inputs // QUARTER)


def empty_tiles(outputs: int, inputs: int) -> torch.Tensor:
    """Memory for a weight in the order of tiles, with anything in it."""
    return torch.empty(tiles(outputs), quarters(inputs), TILE, QUARTER, dtype=torch.int8)


def in_tiles(matrix: torch.Tensor) -> torch.Tensor:
    """int8 [out, in] in the order of tiles."""
    outputs, inputs = matrix.shape
    whole = functional.pad(matrix, (0, -inputs % QUARTER, 0, -outputs % TILE))
    return whole.view(tiles(outputs), TILE, quarters(inputs), QUARTER).transpose(1, 2).contiguous()


def tiled(weight: Quantized) -> TiledWeight:
    """A weight in the order of tiles."""
    outputs, inputs = weight.matrix.shape
    beyond = (0, -outputs % TILE)
    bias = torch.zeros(outputs) if weight.bias is None else weight.bias
    return TiledWeight(
        outputs,
        inputs,
        in_tiles(weight.matrix),
        functional.pad(weight.matrix.sum(1, dtype=torch.int32) * 128, beyond),
        functional.pad(weight.scales, beyond),
        functional.pad(bias, beyond),
    )
