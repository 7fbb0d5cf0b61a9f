"""The Wilson interval against published values and its own definition."""

from __future__ import annotations

import math

import pytest

from llmstep.bench.statistics import NORMAL_95, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


@pytest.mark.parametrize(("successes", "trials"), [(1, 3), (50, 100), (68, 244)])
def test_at_its_ends_the_observed_rate_is_just_not_rejected(successes: int, trials: int) -> None:
    rate = successes / trials
    for end in wilson(successes, trials):
        assert abs(rate - end) / math.sqrt(end * (1 - end) / trials) == pytest.approx(NORMAL_95)


def test_nothing_tried_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
