"""The order of suggestions: those that close the goal first, then by the chance that a proof goes on from them.

The chance is a logistic function of what is known of a step. Its few numbers are in `ranking.json`; `python -m
benchmarks ranking` fits them and assesses them on statements that they were not fitted on.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from llmstep.types import Goal, Suggestion, Verdict

FILE: Final = Path(__file__).with_name("ranking.json")
_ORDER: Final = {verdict: place for place, verdict in enumerate(Verdict)}
_PER_LINE: Final = 0.9
"""By so much each further line makes a step that closes the goal less wanted."""
_PER_WORD: Final = 0.98
_FEW_WORDS: Final = 6
"""So many words of a step cost nothing."""
_LEAST: Final = 1e-3
_KINDS: Final = {
    "introduces": frozenset(("intro", "intros", "rintro", "ext", "funext")),
    "takes_apart": frozenset(("obtain", "rcases", "subst", "constructor", "split", "by_cases")),
    "computes": frozenset(("simp", "simp_all", "norm_num", "push_neg", "rw", "dsimp", "unfold")),
    "induction": frozenset(("induction", "cases")),
    "chooses": frozenset(("left", "right", "exfalso", "refine", "exists", "use", "apply", "exact", "have")),
}
"""Tactics by what they do to a goal: some of it can be lost only by those that choose."""


def ordered(suggestions: Iterable[Suggestion], goal: Goal) -> list[Suggestion]:
    """Suggestions, best first: closing ones, then those that leave goals, then the unknown, then the refused.

    Of those that close the goal, the likeliest comes first, and a long one has to be likelier. Those that leave goals
    are compared by `chance`, the others by what is known without Lean; those of which nothing is known keep their
    order.
    """

    def key(each: Suggestion) -> tuple[int, float, float]:
        return _ORDER[each.check.verdict], -_worth(each, goal), -each.candidate.likelihood

    return sorted(suggestions, key=key)


def chance(suggestion: Suggestion, goal: Goal) -> float:
    """How likely it is, from 0 to 1, that the goals which an accepted step leaves can be proved."""
    weights = _weights()
    return _logistic(sum(weights[name] * value for name, value in features(suggestion, goal).items()))


def features(suggestion: Suggestion, goal: Goal) -> dict[str, float]:
    """What the chance of a step that leaves goals depends on.

    `bias` is 1. `prior` is the logit of the chance of a tactic of Lean, 0 for a step of the model; `model` is 1 for
    that, and `score` the log-probability of the whole step, 0 where it is not known. `goals` is the number of goals
    that it adds, and `size` the logarithm of how much longer all goals together have become. `several` is 1 for tactics
    in a row. Each kind of tactic in `_KINDS` has a 1 for a step that begins with one of it.
    """
    candidate, after = suggestion.candidate, suggestion.check.goals
    of_lean = candidate.source == "lean" and candidate.chance is not None
    before = (goal.text, *goal.others)
    old, new = sum(map(len, before)) or 1, sum(map(len, after)) or 1
    kind = _kind(suggestion.text, added := len(after) - len(before))
    return {
        "bias": 1.0,
        "prior": _logit(candidate.chance or 0.0) if of_lean else 0.0,
        "model": 0.0 if of_lean else 1.0,
        "score": 0.0 if of_lean else max((candidate.score or 0.0) * max(candidate.tokens, 1), -20.0),
        "goals": float(added),
        "size": math.log(new / old),
        "several": float(";" in suggestion.text),
    } | {name: float(name == kind) for name in _KINDS}


def _kind(text: str, added: int) -> str:
    """The kind of tactic that a step begins with; empty for others."""
    first = (text.split() or [""])[0].rstrip(";,")
    if first == "constructor" and added < 1:  # it has taken one side of two
        return "chooses"
    return next((name for name, tactics in _KINDS.items() if first in tactics), "")


def _worth(suggestion: Suggestion, goal: Goal) -> float:
    if suggestion.check.verdict is Verdict.PROGRESS:
        return chance(suggestion, goal)
    likelihood = suggestion.candidate.likelihood
    if suggestion.check.verdict is Verdict.CLOSES:
        words = len(suggestion.text.split())
        likelihood *= _PER_LINE ** suggestion.text.count("\n") * _PER_WORD ** max(0, words - _FEW_WORDS)
    return likelihood


@functools.cache
def _weights() -> Mapping[str, float]:
    found: dict[str, float] = json.loads(FILE.read_text(encoding="utf-8"))["weights"]
    return found


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


def _logit(share: float) -> float:
    share = min(max(share, _LEAST), 1 - _LEAST)
    return math.log(share / (1 - share))
