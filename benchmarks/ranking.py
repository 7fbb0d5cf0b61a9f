"""Fits the chance by which suggestions are ordered, and says how good it is on statements that it was not fitted on.

The steps are those of `benchmarks.steps`. A step is right when it closes the goal, or when the goals that it leaves are
proved by a short search.
"""

from __future__ import annotations

import collections
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from llmstep.ranking import features
from llmstep.types import Candidate, Check, Goal, Suggestion, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

FOLDS = 5
BINS = 10
_RIDGE = 4.0


@attrs.frozen
class Tried:
    """A step that was suggested for a statement."""

    name: str
    """Of the statement."""
    goal: Goal
    step: Suggestion
    right: bool
    shown: float | None
    """Seconds to the first accepted step for this statement."""
    closable: str | None
    """A single step that closes this goal; None where none was found."""


@attrs.frozen
class Bin:
    """The steps whose predicted chance lies in one tenth."""

    low: float
    """Where the tenth begins."""
    count: int
    predicted: float
    """Mean of the predictions."""
    seen: float
    """Share of right steps."""


@attrs.frozen
class Assessment:
    """How good predictions are."""

    steps: int
    share: float
    """Of right steps."""
    brier: float
    brier_of_share: float
    """Of always predicting the share."""
    ece: float
    """Expected calibration error: mean distance of prediction and share over the bins, by their sizes."""
    bins: tuple[Bin, ...]


def read(file: Path) -> list[Tried]:
    """The steps of a file of `benchmarks.steps`."""
    return [_tried(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _tried(raw: dict[str, Any]) -> Tried:
    candidate = Candidate(raw["text"], raw["score"], raw["tokens"], raw["source"], raw["chance"])
    check = Check(Verdict(raw["verdict"]), tuple(raw["goals"]))
    goal = Goal(raw["goal"], tuple(raw["others"]))
    return Tried(raw["name"], goal, Suggestion(candidate, check), raw["right"], raw.get("shown"), raw.get("closable"))


def leaving(tried: Iterable[Tried]) -> list[Tried]:
    """Those that leave goals: of the others, nothing has to be predicted."""
    return [each for each in tried if each.step.check.verdict is Verdict.PROGRESS]


def fit(tried: Sequence[Tried]) -> dict[str, float]:
    """The weights of a logistic regression with a small ridge, by Newton's method.

    A better score or prior never counts against a step: where the steps say so, that weight is 0.
    """
    rows = [features(each.step, each.goal) for each in tried]
    left_out: set[str] = set()
    while True:
        weights = _newton(rows, [each.right for each in tried], left_out)
        wrong = {name for name in ("score", "prior") if weights[name] < 0}
        if not wrong:
            return weights
        left_out |= wrong


def _newton(rows: Sequence[dict[str, float]], rights: Sequence[bool], left_out: set[str]) -> dict[str, float]:
    names = [name for name in rows[0] if name not in left_out]
    inputs = np.array([[row[name] for name in names] for row in rows])
    right = np.array(rights, dtype=float)
    ridge = np.diag([0.0 if name == "bias" else _RIDGE for name in names])
    weights = np.zeros(len(names))
    for _ in range(50):
        chances = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (chances - right) + ridge @ weights
        curvature = (inputs * (chances * (1 - chances))[:, None]).T @ inputs + ridge
        weights -= np.linalg.solve(curvature, slope)
    found = {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}
    return {name: found.get(name, 0.0) for name in rows[0]}


def predicted(weights: dict[str, float], each: Tried) -> float:
    """The chance that these weights give a step."""
    return 1 / (1 + math.exp(-sum(weights[name] * value for name, value in features(each.step, each.goal).items())))


def held_out(tried: Sequence[Tried]) -> list[float]:
    """For each step, its chance by weights that were fitted on the other statements' steps (cross-validation)."""
    chances = [0.0] * len(tried)
    for fold in range(FOLDS):
        weights = fit([each for each in tried if _fold(each.name) != fold])
        for number, each in enumerate(tried):
            if _fold(each.name) == fold:
                chances[number] = predicted(weights, each)
    return chances


def _fold(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % FOLDS


def assess(chances: Sequence[float], right: Sequence[bool]) -> Assessment:
    """Predictions against what was seen."""
    count = len(right)
    share = sum(right) / count
    tenths: dict[int, list[tuple[float, bool]]] = collections.defaultdict(list)
    for chance, seen in zip(chances, right, strict=True):
        tenths[min(BINS - 1, int(chance * BINS))].append((chance, seen))
    bins = tuple(_bin(number / BINS, tenths[number]) for number in sorted(tenths))
    return Assessment(
        steps=count,
        share=share,
        brier=sum((chance - seen) ** 2 for chance, seen in zip(chances, right, strict=True)) / count,
        brier_of_share=share * (1 - share),
        ece=sum(each.count * abs(each.predicted - each.seen) for each in bins) / count,
        bins=bins,
    )


def _bin(low: float, pairs: Sequence[tuple[float, bool]]) -> Bin:
    count = len(pairs)
    return Bin(low, count, sum(chance for chance, _ in pairs) / count, sum(seen for _, seen in pairs) / count)


def by_statement(tried: Iterable[Tried]) -> dict[str, list[int]]:
    """The numbers of the steps of each statement."""
    found: dict[str, list[int]] = {}
    for number, each in enumerate(tried):
        found.setdefault(each.name, []).append(number)
    return found


def first_right(tried: Sequence[Tried], worth: Callable[[int], Any]) -> tuple[int, int]:
    """Statements whose best step by an order is right, of those that have right and wrong ones among `tried`."""
    good = mixed = 0
    for numbers in by_statement(tried).values():
        if len({tried[number].right for number in numbers}) == 2:
            mixed += 1
            good += tried[max(numbers, key=worth)].right
    return good, mixed


def pairs_in_order(tried: Sequence[Tried], worth: Callable[[int], Any]) -> float:
    """Share of the pairs of a right and a wrong step of one statement that an order has the right way round."""
    good, pairs = 0.0, 0
    for numbers in by_statement(tried).values():
        for first in (number for number in numbers if tried[number].right):
            for second in (number for number in numbers if not tried[number].right):
                pairs += 1
                good += 1.0 if worth(first) > worth(second) else 0.5 if worth(first) == worth(second) else 0.0
    return good / pairs if pairs else 1.0
