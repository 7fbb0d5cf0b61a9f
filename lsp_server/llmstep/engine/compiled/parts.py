"""What the parts of a transformer are to a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from llmstep.engine.causal_parts import Norm


@attrs.frozen
class Heads:
    """Where a product has its queries, keys and values, in numbers from the beginning of a row."""

    heads: int
    key_heads: int
    width: int
    """Of one head."""
    query: tuple[int, int]
    """That of the first head, and from head to head."""
    key: tuple[int, int]
    value: tuple[int, int]
    scale: float = 1.0
    query_norm: Norm | None = None
    key_norm: Norm | None = None


@attrs.frozen
class Cache:
    """A prompt's keys and values, by their numbers in a program's memory, and the states that say how many they are."""

    keys: int
    values: int
    room: int
    length: int


@attrs.frozen
class Angles:
    """Numbers of cosines and sines in a program's memory, [positions, half] each."""

    cos: int = 0
    sin: int = 0
    half: int = 0
    """Numbers of a head's half that is rotated; 0 for none."""


@attrs.frozen
class Bytes:
    """What a product reads."""

    rows: int
    stride: int
    scales: int
