"""A network as a list of operations on memory.

An operation is a record: what it is, and its operands, which are addresses and numbers. What changes from step to step
(how many rows there are, how many tokens) is in the state, so that the list is written anew only where memory grows.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.layout import Norm
from llmstep.decoder.weights import BLOCK, TILE, Kind, Weight, tiles, zeros

# Kinds of operations, and of weights.
NORM, GATE, PRODUCT, STORE, ATTEND = range(5)
BYTES, NIBBLES, FLOATS = range(3)
KINDS: dict[Kind, int] = {"int8": BYTES, "int4": NIBBLES, "float32": FLOATS}

# The state.
ROWS = 0
"""Rows that the operations work on: tokens of a prompt, or samples."""
START = 1
"""Tokens of the prompt before the first row."""
LENGTH = 2
"""Tokens of the prompt in the cache."""
OWN = 3
"""Tokens of each sample in the cache."""
INPUT = 4
"""Tokens of the encoder's input."""
SLOTS = 5
"""From here on: the place of each row among the samples."""

_ROWS = ("source", "source_stride", "target", "target_stride", "row_scales", "corrections", "corrections_stride")
_NORM = ("width", "norm", "norm_bias", "activation", "gated")
_PRODUCT = ("weight_kind", "weight", "steps", "tiles", "weight_scales", "bias", "zeros", "add")
_HEADS = ("heads", "group", "query", "next_query", "key", "next_key", "value", "next_value")
_NORMS = ("query_norm", "query_norm_bias", "key_norm", "key_norm_bias", "cos", "sin", "half", "biases", "max_distance")
_CACHE = ("keys", "values", "capacity", "unit", "length", "causal", "own_keys", "own_values", "max_rows", "max_tokens")
_INTEGERS = ("kind", *_ROWS, *_NORM, *_PRODUCT, *_HEADS, *_NORMS, *_CACHE)
OPERATION = np.dtype([(name, np.int64) for name in _INTEGERS] + [("epsilon", np.float32), ("scale", np.float32)])
"""Operands are addresses of memory, or numbers; those that an operation does not have are 0.

Strides, and the places of queries, keys and values in a row (that of the first head, and from head to head), are in
bytes. `width` counts numbers of a row or of a head, `steps` those of a tile (see `Weight.steps`), `half` those of a
head's half that is rotated; `unit` is the bytes of a number in the cache of a prompt, 2 or 4, and `length` the state
that says how many tokens it has. Queries come in `group`s that use the same of the `heads` of keys.
"""

Operands = Mapping[str, NDArray[Any] | float | None]
"""By the names of `OPERATION`; memory as an array, or None where there is none."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What products read: float32, or bytes with a scale and corrections (see `rowwise.quantize`) for each row."""

    numbers: NDArray[Any]
    scales: NDArray[np.float32] | None = None
    corrections: NDArray[np.int32] | None = None

    @classmethod
    def zeros(cls, rows: int, inputs: int, *, floats: bool) -> Rows:
        if floats:
            return cls(zeros((rows, inputs)))
        return cls(zeros((rows, inputs), np.int8), zeros((rows,)), zeros((rows, inputs // BLOCK + 2), np.int32))

    def operands(self, name: str) -> Operands:
        """For an operation that reads them (`source`) or writes them (`target`)."""
        stride = 0 if self.corrections is None else self.corrections.strides[0]
        more = {"row_scales": self.scales, "corrections": self.corrections, "corrections_stride": stride}
        return rows(name, self.numbers) | more


class Program:
    """Operations, and the memory that they share.

    Args:
        hidden: Width of the residual stream, `hidden`, which is float32.
        widest: Outputs of the widest product except for the last, and inputs of the widest; what they write is `wide`.
        attended: Queries' heads times their width: what attention writes.
        vocabulary: Outputs of the last product, `logits`.
        capacity: Rows that there is memory for.
        max_logits: The same for logits.
        floats: Whether products read float32 and not bytes.
    """

    def __init__(
        self,
        hidden: int,
        widest: int,
        attended: int,
        vocabulary: int,
        *,
        capacity: int,
        max_logits: int,
        floats: bool,
        epsilon: float = 0.0,
    ) -> None:
        self.epsilon = epsilon
        self._operations: list[NDArray[Any]] = []
        self._held: list[NDArray[Any]] = []
        self.hidden, self.wide, self.attended = (
            zeros((capacity, tiles(width) * TILE)) for width in (hidden, widest, attended)
        )
        self.logits = zeros((max_logits, tiles(vocabulary) * TILE))
        inputs = -(-max(widest, hidden, attended) // 64) * 64
        self.zeros = zeros((TILE,))
        self._read, self._kept = (Rows.zeros(capacity, inputs, floats=floats) for _ in range(2))

    def __len__(self) -> int:
        return len(self._operations)

    @functools.cached_property
    def listing(self) -> NDArray[Any]:
        """The operations as records, once all are there, [operations]."""
        return np.array(self._operations, OPERATION)

    @property
    def scratch(self) -> int:
        """Numbers that one thread needs beside this memory, attention not counted."""
        return int(max(self.wide.shape[1], self.hidden.shape[1], TILE * BLOCK // 4))

    def add(self, kind: int, **operands: NDArray[Any] | float | None) -> None:
        """Add an operation to the end, and hold its memory from now on; see `Operands`."""
        made = np.zeros((), OPERATION)
        made["kind"] = kind
        for name, each in operands.items():
            if isinstance(each, np.ndarray):
                self._held.append(each)
                made[name] = each.ctypes.data
            elif each is not None:
                made[name] = each
        self._operations.append(made)

    def norm(self, norm: Norm, *, kept: bool = False) -> None:
        """The norm of the residual stream, for products, or to be `kept` for a later one."""
        places = {**rows("source", self.hidden), **(self._kept if kept else self._read).operands("target")}
        self.add(NORM, **places, **named("norm", norm), width=len(norm.weight), epsilon=self.epsilon)

    def quantize(self, source: NDArray[Any], width: int, *, activation: int = 0, gated: bool = False) -> None:
        """The first `width` numbers of rows for products, through an activation function."""
        places = {**rows("source", source), **self._read.operands("target")}
        self.add(GATE, **places, width=width, activation=activation, gated=gated)

    def product(self, weight: Weight, target: NDArray[Any], *, kept: bool = False) -> None:
        """Rows times a weight; what goes to the residual stream is added to it."""
        self.add(
            PRODUCT,
            **(self._kept if kept else self._read).operands("source"),
            **rows("target", target),
            weight_kind=KINDS[weight.kind],
            weight=weight.matrix,
            steps=weight.steps,
            tiles=weight.tiles,
            weight_scales=weight.scales,
            bias=weight.bias,
            zeros=self.zeros,
            add=target is self.hidden,
        )


def rows(name: str, array: NDArray[Any]) -> dict[str, Any]:
    """Operands for rows of memory, and bytes from one to the next."""
    return {name: array, f"{name}_stride": array.strides[0]}


def named(name: str, norm: Norm | None) -> Operands:
    """Operands for a norm, where there is one."""
    return {} if norm is None else {name: norm.weight, f"{name}_bias": norm.bias}
