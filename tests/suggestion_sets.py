"""Suggestions with verdicts, places in texts, and sets of suggestions for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.lean.insertion_points import InsertionPoint, find_insertion_point
from llmstep.lean.text import position_at
from llmstep.memory import SuggestionSet
from llmstep.types import Candidate, Check, Goal, Suggestion, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsprotocol.types import Position


AND = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n"


def judged(text: str, verdict: Verdict, *goals: str, score: float = -1.0, message: str = "") -> Suggestion:
    return Suggestion(Candidate(text, score), Check(verdict, goals, message))


def at(text: str, mark: str) -> Position:
    return position_at(text, text.index(mark))


def site_of(text: str, mark: str = "sorry") -> InsertionPoint:
    point = find_insertion_point(text, at(text, mark))
    assert point
    return point


def set_of(suggestions: Sequence[Suggestion], note: str = "") -> SuggestionSet:
    point = site_of(AND)
    empty = SuggestionSet(
        uri="file:///a.lean",
        version=1,
        point=point,
        key=point.key(AND),
        goal=Goal("⊢ p"),
        prefix="",
        model="starter",
        elapsed_ms=1.0,
        suggestions=(),
        drawn=10,
        note=note,
    )
    return empty.judged(suggestions)
