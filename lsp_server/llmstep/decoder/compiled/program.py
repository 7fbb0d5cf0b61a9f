"""A network as a list of operations on memory that is named by number.

An operation is a row of integers: what it is, and its operands, each the number of a piece of memory in the table of
addresses, or of a number in the state, or a plain number. What changes from step to step (how many rows there are, how
many tokens) is in the state, so that the list is written once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    Array = NDArray[Any]

WIDTH = 28
"""Integers of an operation."""

# Kinds of operations, and of weights.
NORM, GATE, PRODUCT, STORE, ATTEND, ATTEND_ROWS = range(6)
BYTES, NIBBLES, FLOATS = range(3)

# The state.
ROWS = 0
"""Rows that the operations work on: tokens of a prompt, or samples."""
START = 1
"""Tokens of the prompt before the first row."""
LENGTH = 2
"""Tokens of the prompt in the cache."""
OWN = 3
"""Tokens of each sample in the cache."""
MOST = 4
"""Samples that the cache has room for."""
LONGEST = 5
"""Tokens that the cache has room for in each sample."""
ROOM = 6
"""Tokens that the cache has room for in the prompt."""
REACH = 7
"""Largest distance that the biases of the scores are there for."""
INPUT = 8
"""Tokens of the encoder's input."""
INPUT_ROOM = 9
INPUT_REACH = 10
CROSS = 11
"""Tokens of the encoder's input that the decoder has keys of."""
CROSS_ROOM = 12
ZERO = 13
"""Always 0."""
UNIT = 14
"""Bytes of a number in the cache of a prompt: 2 or 4."""
STATES = 15


class Program:
    """Operations, memory and state."""

    def __init__(self) -> None:
        self._rows: list[list[int]] = []
        self._numbers: list[list[float]] = []
        self._addresses = [0]
        self._held: list[object] = [None]
        self._table: np.ndarray | None = None
        self._listing: tuple[np.ndarray, np.ndarray] | None = None
        self.state = np.zeros(STATES, np.int64)
        self.state[UNIT] = 4

    def memory(self, array: Array | None) -> int:
        """The number of a piece of memory, which is held from now on; 0 for none."""
        if array is None:
            return 0
        self._addresses.append(array.ctypes.data)
        self._held.append(array)
        self._table = None
        return len(self._held) - 1

    def replace(self, number: int, array: Array) -> None:
        """Have other memory under the same number."""
        self._addresses[number] = array.ctypes.data
        self._held[number] = array
        self._table = None

    @property
    def table(self) -> np.ndarray:
        """Addresses by number, int64."""
        if self._table is None:
            self._table = np.array(self._addresses, np.int64)
        return self._table

    def add(self, kind: int, *operands: int, numbers: tuple[float, ...] = ()) -> None:
        """Add an operation to the end."""
        row = [kind, *operands]
        self._rows.append(row + [0] * (WIDTH - len(row)))
        self._numbers.append([*numbers, 0.0, 0.0][:2])
        self._listing = None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def listing(self) -> tuple[np.ndarray, np.ndarray]:
        """Operations, int64 [operations, WIDTH], and their fractions, float32 [operations, 2]."""
        if self._listing is None:
            self._listing = (
                np.array(self._rows, np.int64).reshape(-1, WIDTH),
                np.array(self._numbers, np.float32).reshape(-1, 2),
            )
        return self._listing
