"""What the parts of a transformer are to a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from llmstep.decoder.weights import Weight


@dataclass(frozen=True, eq=False)
class Norm:
    """A layer norm, or an RMS norm where there is no bias."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    epsilon: float


@dataclass(frozen=True)
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


@dataclass(frozen=True, eq=False)
class Cross:
    """The attention of a decoder's layer to the encoder."""

    norm: Norm
    query: Weight
    out: Weight


@dataclass(frozen=True, eq=False)
class Block:
    """One layer of a transformer."""

    heads: Heads
    norm: Norm
    query_key_value: Weight
    attention_out: Weight
    mlp_norm: Norm
    mlp_in: Weight
    mlp_out: Weight
    activation: int
    """One of `rowwise.ACTIVATIONS`."""
    parallel: bool = False
    """Whether the MLP reads what the attention has not been added to."""
    cross: Cross | None = None

    @property
    def gated(self) -> bool:
        """Whether half of the MLP's numbers are a gate for the others."""
        return self.mlp_in.outputs > self.mlp_out.inputs


@dataclass(frozen=True)
class Cache:
    """A prompt's keys and values, by their numbers in a program's memory, and the states that say how many they are."""

    keys: int
    values: int
    capacity: int
    length: int


@dataclass(frozen=True)
class Angles:
    """Numbers of cosines and sines in a program's memory, [positions, half] each."""

    cos: int = 0
    sin: int = 0
    half: int = 0
    """Numbers of a head's half that is rotated; 0 for none."""

    @property
    def places(self) -> tuple[int, int, int]:
        return self.cos, self.sin, self.half


NOT_ROTATED = Angles()


@dataclass(frozen=True)
class Rows:
    """What a product reads: numbers of memory, and bytes from row to row. Where it is float32 there are no scales."""

    rows: int
    stride: int
    scales: int
    more: int
    """Corrections, see `rowwise.quantize`."""
    more_stride: int

    @property
    def places(self) -> tuple[int, int, int, int, int]:
        return self.rows, self.stride, self.scales, self.more, self.more_stride
