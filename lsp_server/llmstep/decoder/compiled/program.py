"""A network as a list of operations on memory.

An operation is a record: what it is, and its operands, which are addresses and numbers. What changes from step to step
(how many rows there are, how many tokens) is in the state, so that the list is written anew only where memory grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.weights import Kind

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
_PRODUCT = ("weight_kind", "weight", "steps", "tiles", "weight_scales", "bias", "add")
_HEADS = ("heads", "group", "query", "next_query", "key", "next_key", "value", "next_value")
_NORMS = ("query_norm", "query_norm_bias", "key_norm", "key_norm_bias", "cos", "sin", "half", "biases", "max_distance")
_CACHE = ("keys", "values", "capacity", "unit", "length", "causal", "own_keys", "own_values", "max_rows", "max_tokens")
_INTEGERS = ("kind", *_ROWS, *_NORM, *_PRODUCT, *_HEADS, *_NORMS, *_CACHE)
OPERATION = np.dtype([(name, np.int64) for name in _INTEGERS] + [("epsilon", np.float32), ("scale", np.float32)])
"""Operands are addresses of memory, or numbers; those that an operation does not have are 0. `Builder` writes them.

Strides, and the places of queries, keys and values in a row (that of the first head, and from head to head), are in
bytes. `width` counts numbers of a row or of a head, `steps` those of a tile (see `Weight.steps`), `half` those of a
head's half that is rotated; `unit` is the bytes of a number in the cache of a prompt, 2 or 4, and `length` the state
that says how many tokens it has. Queries come in `group`s that use the same of the `heads` of keys.
"""

Operands = Mapping[str, NDArray[Any] | float | None]
"""By the names of `OPERATION`; memory as an array, or None where there is none."""


class Program:
    """Operations."""

    def __init__(self) -> None:
        self._operations: list[NDArray[Any]] = []
        self._held: list[NDArray[Any]] = []
        self._listing: NDArray[Any] | None = None

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
        self._listing = None

    def __len__(self) -> int:
        return len(self._operations)

    @property
    def listing(self) -> NDArray[Any]:
        """The operations as records, [operations]."""
        if self._listing is None:
            self._listing = np.array(self._operations, OPERATION)
        return self._listing
