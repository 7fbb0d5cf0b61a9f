"""Verdicts on first steps by the real Lean, and the hand-written statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from starter.judge import Trial, first_goals, judge
from starter.textbook import TEXTBOOK

if TYPE_CHECKING:
    from pathlib import Path

STATEMENT = "(p q : Prop) (hp : p) (hq : q) : p ∧ q"


def test_verdicts(lean: Path) -> None:
    expected = {
        "constructor": "progress",
        "exact ⟨hp, hq⟩": "closes",
        "constructor <;> assumption": "closes",
        "refine ⟨hp, ?_⟩": "progress",
        "have h := hp": "progress",
        "exact ⟨hq, hp⟩": "invalid",
        "exact ⟨hp, hx⟩": "invalid",
        "skip": "invalid",
        "sorry": "invalid",
        "exact (sorry)": "invalid",
        "exact ⟨hp, hq": "invalid",
        "exact ⟨hp, hq⟩)": "invalid",
        "/- constructor": "invalid",
        "": "invalid",
    }
    # All in one file: a text that breaks off must not hide those behind it.
    trials = [Trial(STATEMENT, tactic) for tactic in expected]
    assert dict(zip(expected, judge([str(lean)], trials), strict=True)) == expected


def test_many_refused_steps_do_not_hide_those_behind_them(lean: Path) -> None:
    trials = [*[Trial(STATEMENT, f"exact no{number}") for number in range(105)], Trial(STATEMENT, "constructor")]
    assert judge([str(lean)], trials) == ["invalid"] * 105 + ["progress"]


def test_textbook_statements_are_sound_and_get_their_goals(lean: Path) -> None:
    statements = [statement for family in TEXTBOOK.values() for statement in family]
    goals = first_goals([str(lean)], statements)
    assert len(set(statements)) == len(statements) >= 24
    assert goals[0] == "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"
    assert all("⊢" in goal for goal in goals)


def test_a_statement_that_lean_refuses_is_named(lean: Path) -> None:
    with pytest.raises(ValueError, match=r"no\.such p"):
        first_goals([str(lean)], [STATEMENT, "(p : Prop) : no.such p"])
