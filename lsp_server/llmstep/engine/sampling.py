"""Drawing tokens from logits: temperature, nucleus, and the log-probabilities of what was drawn.

Each sample has random numbers of its own, so that a sample is the same whichever others are drawn beside it and
whenever those end.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmstep.types import Sampling


@contextmanager
def session(threads: int) -> Iterator[None]:
    """Around the drawing of samples: no gradients, and so many CPU threads (0 leaves torch's number)."""
    if threads and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)  # of this thread
    with torch.inference_mode():
        yield


class Drawer:
    """Draws one token at a time for each of several samples.

    Args:
        sampling: Temperature, nucleus and seed; torch's own generators are neither used nor changed.
        device: Where the logits are.
    """

    def __init__(self, sampling: Sampling, device: str = "cpu") -> None:
        self._greedy = sampling.temperature <= 0
        self._temperature = sampling.temperature
        self._top_p = sampling.top_p
        self._device = device
        self._generator = torch.Generator()  # on the CPU, so that a seed means the same on every device
        self._generator.manual_seed(secrets.randbits(63) if sampling.seed is None else sampling.seed)
        self._count = 0
        self._numbers = torch.empty(0)

    def begin(self, count: int) -> None:
        """Begin with another `count` samples."""
        self._count = count

    def draw(self, logits: torch.Tensor, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """The next token of each sample, and its log-probability in the model's own distribution.

        Args:
            logits: As the model makes them, float32, shape [rows, vocabulary] or, when all samples still have the same
                text, [1, vocabulary].
            rows: Numbers of the samples, each below the `count` of `begin`.

        Returns:
            Tokens (int64) and natural log-probabilities at temperature 1 (float32), both of shape [rows].
        """
        if self._greedy:
            tokens = logits.argmax(-1).expand(len(rows))
        else:
            # One number for every sample, also those that have ended.
            numbers = torch.rand(self._count, generator=self._generator, dtype=torch.float64)
            if len(rows) < self._count:
                numbers = numbers[list(rows)]
            tokens = self._sample(logits, self._sent(numbers))
            tokens = tokens.clamp_max(logits.shape[-1] - 1)  # logits that are no numbers lead beyond the end
        chosen = logits.expand(len(rows), -1).gather(1, tokens[:, None])
        return tokens, (chosen - logits.logsumexp(-1, keepdim=True))[:, 0]

    def _sent(self, numbers: torch.Tensor) -> torch.Tensor:
        """Numbers on their way to the device; nobody waits for what a CUDA device does meanwhile."""
        if self._device.startswith("cuda"):
            return numbers.pin_memory().to(self._device, non_blocking=True)
        return numbers.to(self._device)

    def _sample(self, logits: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Tokens by inversion of the cumulative distribution at `numbers`, which lie in [0, 1)."""
        scaled = logits / self._temperature
        if self._top_p >= 1:
            return _invert(scaled.softmax(-1), numbers)
        scaled, order = scaled.sort(-1, descending=True)
        probabilities = scaled.softmax(-1)
        # A token stays when those before it do not hold the nucleus; the first one always does.
        before = probabilities.cumsum(-1) - probabilities
        probabilities = probabilities.masked_fill(before >= self._top_p, 0.0)
        places = _invert(probabilities, numbers)
        return order.expand(len(numbers), -1).gather(1, places[:, None])[:, 0]


def _invert(probabilities: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """The first index whose cumulative probability exceeds the number's share of the whole, shape [rows].

    In float64 the share is below the whole however it is rounded, so that an index without probability is never hit.
    """
    cumulative = probabilities.cumsum(-1, dtype=torch.float64)
    shares = numbers * cumulative[:, -1]  # [rows]
    if cumulative.shape[0] == 1:
        return torch.searchsorted(cumulative[0], shares, right=True)
    return torch.searchsorted(cumulative, shares[:, None], right=True)[:, 0]
