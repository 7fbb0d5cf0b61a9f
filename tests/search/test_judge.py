"""Steps as one text, and which goals of a place a proof has to close."""

from __future__ import annotations

import pytest

from llmstep.lean.insertion_points import find_insertion_points
from llmstep.lean.text import position_at
from llmstep.search.judge import join, must_finish, own_goals
from llmstep.types import Goal


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ((), ""),
        (("intro h", "exact h"), "intro h\nexact h"),
        (("have h : p := by\n  exact hp", "exact h"), "have h : p := by\n  exact hp\nexact h"),
        (("  simp\n", "rfl -- done"), "simp\nrfl"),
        (("cases h with\n| inl a => exact a\n| inr b => exact b", "rfl"), None),
    ],
)
def test_join(steps: tuple[str, ...], text: str | None) -> None:
    assert join(steps) == ("\n".join(steps) if text is None else text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("theorem t : p := by\n  §sorry\n", False),
        ("theorem t : p := §sorry\n", False),
        ("theorem t : p := by§\n", True),
        ("theorem t : p := by\n  constructor§\n", True),
        ("theorem t : p := by\n  constructor\n  §\n", True),
        ("theorem t : p := by\n  constructor\n  §\n\ntheorem u : q := by\n  rfl\n", True),
        ("theorem t : p := by\n  constructor\n  §\n  -- a comment\n", True),
        ("theorem t : p := by\n  constructor\n  §\n  exact h\n", False),
        ("theorem t : p := by\n  constructor§\n  exact h\n", False),
        ("theorem t : p := by\n  constructor\n  · §\n  · exact h\n", True),
        ("theorem t : p := by\n  constructor\n  · intro h§\n  · exact h\n", True),
        ("theorem t : p := by\n  §exact h\n", False),
    ],
)
def test_what_a_proof_must_close(text: str, wanted: bool) -> None:
    cursor = text.index("§")
    plain = text.replace("§", "")
    point = find_insertion_points(plain, position_at(plain, cursor))[0]
    assert must_finish(plain, point) is wanted


@pytest.mark.parametrize(
    ("left", "others", "own"),
    [
        (["a"], [], ("a",)),
        (["a", "x"], ["x"], ("a",)),
        (["a", "b", "x", "y"], ["x", "y"], ("a", "b")),
        (["a", "y"], ["x", "y"], ("a",)),
        (["a", "x'"], ["x"], ("a", "x'")),
        (["x"], ["x"], ()),
    ],
)
def test_goals_that_are_a_proofs_own(left: list[str], others: list[str], own: tuple[str, ...]) -> None:
    assert own_goals(left, Goal("main", tuple(others))) == own
