"""What drawing wants from a model: read a prompt once, then go on by one token for each of several samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Network(Protocol):
    """A model with the keys and values of one prompt and of the samples behind it.

    The samples are rows 0 to n-1. All have the same length, so that nothing is padded or masked.
    """

    shapes: dict[str, tuple[int, int]]
    """Outputs and inputs of its products, by name."""

    def read(
        self, ids: list[int], prefix: list[int], rows: int, max_tokens: int, cancel: Callable[[], bool]
    ) -> NDArray[np.float32]:
        """Read a prompt, for `rows` samples of at most `max_tokens` tokens.

        What the last prompt and this one have in common is not computed again: for a causal model the tokens at which
        both begin, for an encoder-decoder model the encoder's side when the input is the same.

        Args:
            prefix: For an encoder-decoder model: what its output begins with, behind the start token.
            cancel: Asked between parts of the work.

        Raises:
            StoppedError: `cancel` said so.

        Returns:
            Logits of the first token, [1, vocabulary].
        """

    def step(self, tokens: Sequence[int], rows: Sequence[int]) -> NDArray[np.float32]:
        """Logits behind one more token for each of some rows, [tokens, vocabulary]."""

    def draw(
        self, logits: NDArray[np.float32], temperature: float, top_p: float, numbers: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """See `drawing.draw`."""

    def forget(self) -> None:
        """Give up the keys and values of the last prompt."""

    def session(self, threads: int) -> AbstractContextManager[object]:
        """What is entered around the drawing of samples, with so many threads for the products."""


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of tokens at which two texts begin alike."""
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
