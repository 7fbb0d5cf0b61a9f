"""What attention knows of where tokens stand: rotations of queries and keys, or what their distance adds to scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.config import Config

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Angles:
    """Rotary embeddings."""

    frequencies: Array
    """Angles from one position to the next, [half of what is rotated of a head]."""
    scaling: float
    """What cosines and sines are multiplied by."""

    @classmethod
    def of(cls, config: Config) -> Angles:
        rope = config.rope
        kind = rope.get("rope_type") or rope.get("type") or "default"
        powers = np.arange(0, config.rotary, 2, dtype=np.float32) / np.float32(config.rotary)
        base = (1.0 / np.float32(rope["rope_theta"]) ** powers).astype(np.float32)
        if kind == "linear":
            return cls(base / np.float32(rope["factor"]), 1.0)
        if kind == "llama3":
            return cls(_llama3(base, rope), 1.0)
        return cls(*_yarn(base, rope, config.rotary)) if kind == "yarn" else cls(base, 1.0)

    def between(self, first: int, last: int) -> tuple[Array, Array]:
        """Cosines and sines of positions, [positions, half of what is rotated of a head]."""
        angles = np.arange(first, last, dtype=np.float32)[:, None] * self.frequencies
        return np.cos(angles) * np.float32(self.scaling), np.sin(angles) * np.float32(self.scaling)

    def up_to(self, count: int) -> dict[str, Any]:
        """Operands of `Builder._attention` for so many positions."""
        cos, sin = self.between(0, count)
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

    def up_to(self, count: int) -> dict[str, Any]:
        """Operands of `Builder._attention`: biases for distances from query to key, -count to count, for each head."""
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


def _llama3(base: Array, rope: Mapping[str, Any]) -> Array:
    """Long waves are stretched by `factor`, short ones stay, those between are mixed (Llama 3.1)."""
    low, high, trained = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    turns = trained * base / np.float32(2 * math.pi)  # in the length of the texts of the training
    share = np.clip((turns - low) / (high - low), 0, 1)
    return np.asarray((1 - share) * base / rope["factor"] + share * base, np.float32)


def _yarn(base: Array, rope: Mapping[str, Any], width: int) -> tuple[Array, float]:
    """As in the YaRN paper (arXiv 2309.00071), with the temperature as a factor of cosines and sines."""
    trained = rope["original_max_position_embeddings"]
    factor = rope.get("factor") or rope["max_position_embeddings"] / trained

    def place(turns: float) -> float:
        return float(width * math.log(trained / (turns * 2 * math.pi)) / (2 * math.log(rope["rope_theta"])))

    first, last = place(rope.get("beta_fast") or 32), place(rope.get("beta_slow") or 1)
    if rope.get("truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, width - 1)
    stretched = np.clip((np.arange(len(base)) - first) / max(last - first, 0.001), 0, 1)
    mixed = np.asarray(stretched * base / factor + (1 - stretched) * base, np.float32)

    def temperature(scale: float = 1.0) -> float:
        return 1.0 if factor <= 1 else 0.1 * scale * math.log(factor) + 1.0

    scaling = rope.get("attention_factor")
    if scaling is None:
        one, other = rope.get("mscale"), rope.get("mscale_all_dim")
        scaling = temperature(one) / temperature(other) if one and other else temperature()
    return mixed, float(scaling)
