"""What T5 adds to the scores of its attention by the distance from query to key."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import arrays


class Distances:
    """The biases of a stack of layers.

    Args:
        weight: The number for each bucket and head, [buckets, heads].
        longest: Distance from which on all share the last bucket (`relative_attention_max_distance`).
        bidirectional: Whether queries see what comes after them.
    """

    def __init__(self, weight: NDArray[np.float32], longest: int, *, bidirectional: bool) -> None:
        self._weight, self._longest, self._bidirectional = weight, longest, bidirectional

    def table(self, reach: int) -> NDArray[np.float32]:
        """For all distances from -reach to reach, key less query: [heads, 2 reach + 1]."""
        found = self._weight[self._buckets(np.arange(-reach, reach + 1))].T
        made = arrays.empty(found.shape)
        made[...] = found
        return made

    def _buckets(self, distances: NDArray[np.int64]) -> NDArray[np.int64]:
        """Buckets of distances, as in section 2.1 of the T5 paper (arXiv 1910.10683).

        Half of the buckets are for one distance each, the others for logarithmically wider and wider ones. Where both
        directions are seen, each has half of them.
        """
        count = len(self._weight)
        if self._bidirectional:
            count //= 2
            first, away = (distances > 0) * count, np.abs(distances)
        else:
            first, away = np.zeros_like(distances), np.maximum(-distances, 0)
        exact = count // 2
        share = np.log(np.maximum(away, 1).astype(np.float32) / np.float32(exact))
        wide = exact + (share / np.float32(math.log(self._longest / exact)) * (count - exact)).astype(np.int64)
        return np.asarray(first + np.where(away < exact, away, np.minimum(wide, count - 1)))
