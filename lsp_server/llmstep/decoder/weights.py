"""Weights of products, in the order in which tiles of 32 outputs read them.

A tile's weights are one run of memory, and the order is the same on every machine, so that bytes on disk are bytes in
memory. In eight bits an output has one scale. In four bits it has a scale for each block of 256 inputs, and a whole
number for each group of 32, -15 to 15, that the scale is multiplied with, so that a weight is a byte times that scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

Kind = Literal["int8", "int4", "float32"]
TILE = 32
"""Outputs of a tile."""
GROUP = 32
"""Inputs that share a factor in four bits."""
BLOCK = 256
"""Inputs that share a scale in four bits; a whole number of groups."""
QUARTER = 4
"""Inputs that one instruction multiplies."""
GROUP_BYTES = GROUP // 2 * TILE + TILE
"""Bytes of a group in four bits: nibbles, and a factor for each output."""
BLOCK_BYTES = BLOCK // GROUP * GROUP_BYTES + 4 * TILE
"""Bytes of a whole block in four bits: those of its groups, and a float32 scale for each output."""
KEPT = 64 << 20
"""Bytes of embeddings in float32 up to which they are in memory."""
_LINE = 64


@dataclass(frozen=True, eq=False)
class Weight:
    """A weight for `Program.product`."""

    kind: Kind
    outputs: int
    inputs: int
    matrix: NDArray[Any]
    """int8: bytes [tiles, quarters, 32, 4], 128 more than what they mean; int4: bytes [tiles, all], block by
    block the nibbles, [groups, 4, 32, 4], the factors, [groups, 32], and the scales, float32 [32];
    float32: [tiles, inputs, 32], or for numpy [inputs, outputs]. What is beyond the weight is 0."""
    scales: NDArray[np.float32]
    """[tiles x 32]; ones except for int8."""
    bias: NDArray[np.float32]
    """[tiles x 32]"""

    @classmethod
    def empty(cls, kind: Kind, outputs: int, inputs: int, *, dense: bool = False) -> Weight:
        """A weight whose matrix is to be written, with ones for scales and no bias."""
        scales = zeros((tiles(outputs) * TILE,))
        scales[:] = 1
        shape = (inputs, outputs) if dense else shape_of(kind, outputs, inputs)
        matrix = zeros(shape, np.float32 if kind == "float32" else np.uint8)
        return cls(kind, outputs, inputs, matrix, scales, zeros(scales.shape))

    @property
    def tiles(self) -> int:
        return tiles(self.outputs)

    @property
    def steps(self) -> int:
        """Steps in which a tile goes through the inputs."""
        return int(self.matrix.shape[1]) if self.kind != "int4" else -(-self.inputs // GROUP)


def tiles(outputs: int) -> int:
    """Tiles that hold so many outputs."""
    return -(-outputs // TILE)


def shape_of(kind: Kind, outputs: int, inputs: int) -> tuple[int, ...]:
    """The shape of a weight's matrix."""
    if kind == "int8":
        return tiles(outputs), -(-inputs // QUARTER), TILE, QUARTER
    if kind == "int4":
        return tiles(outputs), -(-inputs // GROUP) * GROUP_BYTES + -(-inputs // BLOCK) * 4 * TILE
    return tiles(outputs), inputs, TILE


def bytes_of(kind: Kind, outputs: int, inputs: int) -> int:
    """Memory of a weight, without its scales and biases."""
    return math.prod(shape_of(kind, outputs, inputs)) * (4 if kind == "float32" else 1)


def zeros(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Memory at an address that vector instructions like: a multiple of 64, as cache lines are."""
    count = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.zeros(count + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + count].view(dtype).reshape(shape)
