"""Embeddings, of which a step needs few rows: small ones are in memory, large ones are read from their file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class Embedding:
    """A table of [tokens, width].

    Args:
        get: Gives rows from one token up to another, in float32.
    """

    def __init__(self, tokens: int, width: int, get: Callable[[int, int], NDArray[np.float32]], *, kept: bool) -> None:
        self.tokens, self.width = tokens, width
        self._get = get
        self._table = get(0, tokens) if kept else None

    def read(self, tokens: Sequence[int] | NDArray[np.int64], out: NDArray[np.float32]) -> None:
        """Write the rows of tokens into the first columns of `out`.

        Raises:
            IndexError: There is no such token.
        """
        if self._table is not None:
            out[:, : self.width] = self._table[np.asarray(tokens)]
            return
        for row, token in enumerate(tokens):
            if not 0 <= token < self.tokens:
                raise IndexError(f"the model has no token {token}")
            out[row, : self.width] = self._get(int(token), int(token) + 1)[0]
