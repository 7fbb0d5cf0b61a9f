"""The parts of a transformer that a program is written for, and the memory that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import arrays
from llmstep.decoder.compiled.positions import Angles, Distances
from llmstep.decoder.source import Embedding
from llmstep.decoder.weights import TILE, Weight, tiles

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Norm:
    """A layer norm, or an RMS norm where there is no bias."""

    weight: Array
    bias: Array | None


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
    gated: bool
    """Whether half of the MLP's numbers are a gate for the others."""
    parallel: bool
    """Whether the MLP reads what the attention has not been added to."""
    cross: Cross | None = None


@dataclass(frozen=True, eq=False)
class Encoder:
    """The side of an encoder-decoder model that reads the input."""

    blocks: Sequence[Block]
    norm: Norm
    positions: Distances
    cross: Weight
    """Keys and values of all the decoder's layers, [layers x 2 x heads x width]."""
    start_id: int
    """First token of the decoder."""


@dataclass(frozen=True, eq=False)
class Model:
    """A whole network."""

    embed: Embedding
    blocks: Sequence[Block]
    """Those that samples go through."""
    norm: Norm
    positions: Angles | Distances
    epsilon: float
    products: Mapping[str, Weight]
    """All of them by name; the last one is the `head`."""
    encoder: Encoder | None = None


@dataclass(frozen=True, eq=False)
class Cache:
    """Keys and values of each layer."""

    keys: NDArray[Any]
    values: NDArray[Any]

    @classmethod
    def of_prompt(cls, layers: int, heads: Heads, tokens: int, *, floats: bool) -> Cache:
        """Those of a prompt, or of an encoder's input, which all samples share, in whole tiles (see `attention`)."""
        each, dtype = (layers, heads.key_heads), np.float32 if floats else np.float16
        keys = arrays.zeros((*each, heads.width, tokens), dtype)
        return cls(keys, arrays.zeros((*each, tokens, tiles(heads.width) * TILE), dtype))

    @classmethod
    def of_samples(cls, layers: int, heads: Heads, rows: int, tokens: int) -> Cache:
        """Those of the samples' own tokens."""
        shape = (layers, heads.key_heads, rows, tokens, heads.width)
        return cls(arrays.empty(shape), arrays.empty(shape))

    def layer(self, number: int) -> Cache:
        return Cache(self.keys[number], self.values[number])
