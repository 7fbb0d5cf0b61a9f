"""Names of tiny models (see `architectures`), and prompts of tokens."""

from __future__ import annotations

import random

CAUSAL = ("neox", "neox-serial", "llama", "llama-rope", "mistral", "qwen2", "qwen3")
NAMES = (*CAUSAL, "t5", "byt5")
NEW = [7, 301, 44, 5]


def text(length: int, seed: int = 0) -> list[int]:
    draw = random.Random(1000 * length + seed)
    return [draw.randrange(3, 384) for _ in range(length)]
