"""What T5 adds to the scores of its attention by the distance from query to key."""

from __future__ import annotations

import math

import torch


class Distances:
    """The biases of a stack of layers.

    Args:
        weight: The number for each bucket and head, [buckets, heads].
        longest: Distance from which on all share the last bucket (`relative_attention_max_distance`).
        bidirectional: Whether queries see what comes after them.
    """

    def __init__(self, weight: torch.Tensor, longest: int, *, bidirectional: bool) -> None:
        self._weight = weight
        self._longest = longest
        self._bidirectional = bidirectional
        self._reach = 0
        self._bias = torch.empty(0)

    def square(self, length: int) -> torch.Tensor:
        """For every query and key of a text, [heads, length, length]."""
        self._extend(length)
        places = torch.arange(length)
        return self._bias[:, places[None, :] - places[:, None] + self._reach]

    def row(self, position: int) -> torch.Tensor:
        """For the query at `position` and all keys up to itself, [heads, position + 1]."""
        self._extend(position + 1)
        return self._bias[:, self._reach - position : self._reach + 1]

    def table(self, reach: int) -> tuple[torch.Tensor, int]:
        """For all distances from -r to r, key less query, with r of at least `reach`: [heads, 2 r + 1], and r."""
        self._extend(reach)
        return self._bias, self._reach

    def _extend(self, reach: int) -> None:
        """Have all distances from -reach to reach, [heads, 2 reach + 1]."""
        if reach <= self._reach:
            return
        self._reach = max(reach, 2 * self._reach, 64)
        distances = torch.arange(-self._reach, self._reach + 1)
        self._bias = self._weight[self._buckets(distances)].T.contiguous()

    def _buckets(self, distances: torch.Tensor) -> torch.Tensor:
        """Buckets of distances, key less query, as in section 2.1 of the T5 paper (arXiv 1910.10683).

        Half of the buckets are for one distance each, the others for logarithmically wider and wider ones. Where both
        directions are seen, each has half of them.
        """
        count = len(self._weight)
        if self._bidirectional:
            count //= 2
            first, away = (distances > 0) * count, distances.abs()
        else:
            first, away = torch.zeros_like(distances), (-distances).clamp_min(0)
        exact = count // 2
        wide = exact + (
            torch.log(away.clamp_min(1).float() / exact) / math.log(self._longest / exact) * (count - exact)
        ).to(torch.int64)
        return first + torch.where(away < exact, away, wide.clamp_max(count - 1))
