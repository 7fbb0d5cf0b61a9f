"""How sure a success rate is."""

from __future__ import annotations

import math

import attrs

NORMAL_95 = 1.959963984540054
"""The normal distribution has 95 % of its mass within so many standard deviations."""


def wilson(successes: int, trials: int, z: float = NORMAL_95) -> tuple[float, float]:
    """The score interval of E. B. Wilson (JASA 22, 1927) for a proportion, 95 % by default; (0, 1) without trials.

    Unlike the interval around the observed rate it holds for few trials and for rates near 0 and 1.
    """
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    spread = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


@attrs.frozen
class Share:
    """A share, with its 95 % confidence interval."""

    share: float
    interval: tuple[float, float]

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.1%} (95 % confidence: {low:.1%} to {high:.1%})"

    @classmethod
    def of(cls, part: int, whole: int) -> Share:
        """With the interval of `wilson`."""
        low, high = wilson(part, whole)
        return cls(round(part / whole, 4) if whole else 0.0, (round(low, 4), round(high, 4)))
