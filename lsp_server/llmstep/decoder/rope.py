"""Rotary embeddings: the frequencies by which queries and keys are rotated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from llmstep.decoder.config import Config


def frequencies(config: Config) -> tuple[NDArray[np.float32], float]:
    """Angles from one position to the next, [rotary / 2], and what cosines and sines are multiplied by."""
    rope = config.rope
    kind = rope.get("rope_type") or rope.get("type") or "default"
    powers = np.arange(0, config.rotary, 2, dtype=np.float32) / np.float32(config.rotary)
    base = (1.0 / np.float32(rope["rope_theta"]) ** powers).astype(np.float32)
    if kind == "linear":
        return base / np.float32(rope["factor"]), 1.0
    if kind == "llama3":
        return _llama3(base, rope), 1.0
    if kind == "yarn":
        return _yarn(base, rope, config.rotary)
    return base, 1.0


def _llama3(base: NDArray[np.float32], rope: Mapping[str, Any]) -> NDArray[np.float32]:
    """Long waves are stretched by `factor`, short ones stay, those between are mixed (Llama 3.1)."""
    low, high, trained = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    turns = trained * base / np.float32(2 * math.pi)  # in the length of the texts of the training
    share = np.clip((turns - low) / (high - low), 0, 1)
    return np.asarray((1 - share) * base / rope["factor"] + share * base, np.float32)


def _yarn(base: NDArray[np.float32], rope: Mapping[str, Any], width: int) -> tuple[NDArray[np.float32], float]:
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
