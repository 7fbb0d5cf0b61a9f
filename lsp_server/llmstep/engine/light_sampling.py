"""Drawing tokens from numpy's logits, by the same rules as `llmstep.engine.sampling`."""

from __future__ import annotations

import functools
import secrets
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from llmstep.types import Sampling

Array = NDArray[np.float32]


@functools.cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()


def session(threads: int) -> AbstractContextManager[None]:
    """Around the drawing of samples: so many threads for numpy's products, one where `threads` is 0.

    By itself numpy's OpenBLAS takes one for each core, which wait for each other by spinning: on busy cores a request
    of the starter then takes ten times as long.
    """
    limit: AbstractContextManager[None] = _pools().limit(limits=threads or 1, user_api="blas")
    return limit


class Drawer:
    """Draws one token at a time for each of several samples. See `llmstep.engine.sampling.Drawer`."""

    def __init__(self, sampling: Sampling, device: str = "cpu") -> None:
        self._greedy = sampling.temperature <= 0
        self._temperature = sampling.temperature
        self._top_p = sampling.top_p
        self._generator = np.random.default_rng(secrets.randbits(63) if sampling.seed is None else sampling.seed)
        self._count = 0

    def begin(self, count: int) -> None:
        """Begin with another `count` samples."""
        self._count = count

    def draw(self, logits: Array, rows: Sequence[int]) -> tuple[NDArray[np.int64], Array]:
        """The next token of each sample, and its log-probability in the model's own distribution."""
        wide = logits.astype(np.float64)
        if self._greedy:
            tokens = np.broadcast_to(wide.argmax(-1), len(rows)).copy()
        else:
            # One number for every sample, also those that have ended.
            tokens = self._sample(wide, self._generator.random(self._count)[list(rows)])
            tokens = np.minimum(tokens, wide.shape[-1] - 1)  # logits that are no numbers lead beyond the end
        most = wide.max(-1, keepdims=True)
        logprobs = wide - (most + np.log(np.exp(wide - most).sum(-1, keepdims=True)))
        chosen = np.take_along_axis(np.broadcast_to(logprobs, (len(rows), wide.shape[-1])), tokens[:, None], 1)
        return tokens, chosen[:, 0].astype(np.float32)

    def _sample(self, logits: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        """Tokens by inversion of the cumulative distribution at `numbers`, which lie in [0, 1)."""
        scaled = logits / self._temperature
        probabilities = np.exp(scaled - scaled.max(-1, keepdims=True))
        probabilities /= probabilities.sum(-1, keepdims=True)
        if self._top_p >= 1:
            return _invert(probabilities, numbers)
        order = np.argsort(-probabilities, -1, kind="stable")
        ordered = np.take_along_axis(probabilities, order, -1)
        # A token stays when those before it do not hold the nucleus; the first one always does.
        before = ordered.cumsum(-1) - ordered
        ordered[before >= self._top_p] = 0.0
        places = _invert(ordered, numbers)
        return np.take_along_axis(np.broadcast_to(order, (len(numbers), order.shape[-1])), places[:, None], 1)[:, 0]


def _invert(probabilities: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """The first index whose cumulative probability exceeds the number's share of the whole, shape [rows]."""
    cumulative = probabilities.cumsum(-1)
    shares = numbers * cumulative[:, -1]  # [rows]
    if cumulative.shape[0] == 1:
        return np.asarray(np.searchsorted(cumulative[0], shares, side="right"))
    return np.asarray((cumulative <= shares[:, None]).sum(-1))
