"""Weights of products, in the order in which tiles of 32 outputs read them.

A tile's weights are one run of memory, and the order is the same on every machine, so that bytes on disk are bytes in
memory. In eight bits an output has one scale, in four bits each group of 32 inputs of an output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from llmstep.decoder import arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["int8", "int4", "float32"]
TILE = 32
"""Outputs of a tile; as `tiles.OUTPUTS`, which needs numba."""
GROUP = 32
"""Inputs that share a scale in four bits; as `tiles.GROUP`."""
QUARTER = 4
"""Inputs that one instruction multiplies."""
_BLOCK = 576
"""Bytes of a group of a tile in four bits, as `tiles.NIBBLES_BLOCK`."""


@dataclass(frozen=True, eq=False)
class Weight:
    """A weight for `Builder.product`."""

    kind: Kind
    outputs: int
    inputs: int
    matrix: NDArray[Any]
    """int8: bytes [tiles, quarters, 32, 4], 128 more than what they mean; int4: bytes [tiles, groups, 576];
    float32: [tiles, inputs, 32]. What is beyond the weight is 0."""
    scales: NDArray[np.float32]
    """[tiles x 32]; ones except for int8."""
    bias: NDArray[np.float32]
    """[tiles x 32]"""

    @property
    def tiles(self) -> int:
        return tiles(self.outputs)

    @property
    def count(self) -> int:
        """Steps in which a tile goes through the inputs."""
        return int(self.matrix.shape[1])


def tiles(outputs: int) -> int:
    """Tiles that hold so many outputs."""
    return -(-outputs // TILE)


def shape_of(kind: Kind, outputs: int, inputs: int) -> tuple[int, ...]:
    """The shape of a weight's matrix."""
    if kind == "int8":
        return tiles(outputs), -(-inputs // QUARTER), TILE, QUARTER
    if kind == "int4":
        return tiles(outputs), -(-inputs // GROUP), _BLOCK
    return tiles(outputs), inputs, TILE


def bytes_of(kind: Kind, outputs: int, inputs: int) -> int:
    """Memory of a weight, without its scales and biases."""
    return int(np.prod(shape_of(kind, outputs, inputs), dtype=np.int64)) * (4 if kind == "float32" else 1)


def empty(kind: Kind, outputs: int, inputs: int) -> Weight:
    """A weight with anything in its matrix, ones for scales and no bias."""
    dtype = np.float32 if kind == "float32" else np.uint8
    width = tiles(outputs) * TILE
    scales, bias = arrays.zeros(width), arrays.zeros(width)
    scales[:] = 1
    return Weight(kind, outputs, inputs, arrays.empty(shape_of(kind, outputs, inputs), dtype), scales, bias)
