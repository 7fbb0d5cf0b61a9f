"""Drawing tokens from logits: temperature, nucleus, and the log-probabilities of what was drawn.

Each sample has random numbers of its own, so that a sample is the same whichever others are drawn beside it and
whenever those end.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.interface import SamplingParams

Array = NDArray[np.float32]
Kernel = Callable[[Array, float, NDArray[np.float64]], tuple[NDArray[np.int64], Array]]


class Drawer:
    """Draws one token at a time for each of several samples.

    Args:
        kernel: Does it in compiled code: logits, temperature and random numbers to tokens and log-probabilities.
    """

    def __init__(self, params: SamplingParams, kernel: Kernel | None = None) -> None:
        self._temperature, self._top_p, self._kernel = params.temperature, params.top_p, kernel
        self._greedy = params.temperature <= 0
        self._generator = np.random.default_rng(secrets.randbits(63) if params.seed is None else params.seed)
        self._count = 0

    def begin(self, count: int) -> None:
        """Begin with another `count` samples."""
        self._count = count

    def draw(self, logits: Array, rows: Sequence[int]) -> tuple[NDArray[np.int64], Array]:
        """The next token of each sample, and its log-probability in the model's own distribution.

        Args:
            logits: float32, [rows, vocabulary] or, when all samples still have the same text, [1, vocabulary].
            rows: Numbers of the samples, each below the `count` of `begin`.
        """
        # One number for every sample, also those that have ended.
        numbers = np.zeros(0) if self._greedy else self._generator.random(self._count)[list(rows)]
        if self._kernel is not None and (self._greedy or self._top_p >= 1):
            return self._kernel(logits, self._temperature, numbers if len(numbers) else np.zeros(len(rows)))
        wide = logits.astype(np.float64)
        if self._greedy:
            tokens = np.broadcast_to(wide.argmax(-1), len(rows)).copy()
        else:
            tokens = self._sample(wide, numbers)
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
        return self._nucleus(np.broadcast_to(probabilities, (len(numbers), probabilities.shape[-1])), numbers)

    def _nucleus(self, probabilities: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        """Tokens of the nucleus; the likeliest one always is in it."""
        tokens = np.empty(len(numbers), np.int64)
        # Those below this have less than what the nucleus leaves out, all together, and need not be sorted.
        least = (1 - self._top_p) / probabilities.shape[-1]
        for row, (each, number) in enumerate(zip(probabilities, numbers, strict=True)):
            likely = np.flatnonzero(each >= least)
            if not len(likely):  # no numbers
                tokens[row] = each.shape[-1]
                continue
            order = likely[np.argsort(-each[likely], kind="stable")]
            ordered = each[order]
            ordered = ordered[: max(1, int((ordered.cumsum() - ordered < self._top_p).sum()))]
            tokens[row] = order[_invert(ordered[None], np.asarray([number]))[0]]
        return tokens


def _invert(probabilities: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """The first index whose cumulative probability exceeds the number's share of the whole, shape [rows]."""
    cumulative = probabilities.cumsum(-1)
    shares = numbers * cumulative[:, -1]  # [rows]
    if cumulative.shape[0] == 1:
        return np.asarray(np.searchsorted(cumulative[0], shares, side="right"))
    return np.asarray((cumulative <= shares[:, None]).sum(-1))
