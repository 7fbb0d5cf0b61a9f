"""What attention knows of where tokens stand, as tables that grow with the texts: operands of `Builder.attention`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.compiled.program import Operands

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Angles:
    """Rotary embeddings; see `rope.frequencies`."""

    frequencies: Array
    scaling: float

    def up_to(self, count: int) -> Operands:
        """Rotations for so many positions, [positions, half of what is rotated of a head]."""
        angles = np.arange(count, dtype=np.float32)[:, None] * self.frequencies
        cos, sin = np.cos(angles) * np.float32(self.scaling), np.sin(angles) * np.float32(self.scaling)
        return {"cos": cos, "sin": sin, "half": cos.shape[1]}


@dataclass(frozen=True, eq=False)
class Distances:
    """What T5 adds to the scores of its attention."""

    weight: Array
    """The number for each bucket and head, [buckets, heads]."""
    max_distance: int
    """Distance from which on all share the last bucket (`relative_attention_max_distance`)."""
    bidirectional: bool
    """Whether queries see what comes after them."""

    def up_to(self, count: int) -> Operands:
        """Biases for all distances from query to key, -count to count: [heads, 2 count + 1]."""
        found = self.weight[self._buckets(np.arange(-count, count + 1))].T
        return {"biases": np.ascontiguousarray(found), "max_distance": count}

    def _buckets(self, distances: NDArray[np.int64]) -> NDArray[np.int64]:
        """Buckets of distances, as in section 2.1 of the T5 paper (arXiv 1910.10683).

        Half of the buckets are for one distance each, the others for logarithmically wider and wider ones. Where both
        directions are seen, each has half of them.
        """
        count = len(self.weight)
        if self.bidirectional:
            count //= 2
            first, away = (distances > 0) * count, np.abs(distances)
        else:
            first, away = np.zeros_like(distances), np.maximum(-distances, 0)
        exact = count // 2
        share = np.log(np.maximum(away, 1).astype(np.float32) / np.float32(exact))
        wide = exact + (share / np.float32(math.log(self.max_distance / exact)) * (count - exact)).astype(np.int64)
        return np.asarray(first + np.where(away < exact, away, np.minimum(wide, count - 1)))
