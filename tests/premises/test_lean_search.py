"""Premises that a real Lean's own searches name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lsprotocol.types import Position

from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.proposals import proposed
from llmstep.lean.workspace import LeanWorkspace
from llmstep.premises.lean_search import LeanSearch, named
from llmstep.premises.source import Whereabouts
from llmstep.settings import LeanSettings, Settings
from llmstep.types import Goal, Premise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TEXT = """\
namespace Fruit

theorem pear_swap (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩

/-- Ripe. -/
@[simp]
theorem ripe (a b : Prop) (h : a ∧ b) : b ∧ a := by
  have pear := h
  sorry

theorem weight (a b c : Nat) (h : a ≤ b) : a + 0 ≤ b := by

  trivial
end Fruit
"""


@pytest.fixture
async def search(tmp_path: Path, lean_command: tuple[str, ...]) -> AsyncIterator[LeanSearch]:
    workspace = LeanWorkspace(Settings(lean=LeanSettings(command=lean_command, timeout_seconds=120)))
    yield LeanSearch(workspace)
    await workspace.close()


async def premises(search: LeanSearch, folder: Path, line: int, text: str = TEXT, count: int = 20) -> list[Premise]:
    uri = (folder / "Fruit.lean").as_uri()
    point = find_insertion_point(text, Position(line, 2))
    assert point is not None
    goal = await search.lean.goal(uri, text, point)
    return list(await search.find(goal, Whereabouts(uri, text, point), count, seconds=60))


@pytest.mark.lean
async def test_a_lemma_that_closes_the_goal_comes_with_its_type(search: LeanSearch, tmp_path: Path) -> None:
    found = await premises(search, tmp_path, 8)
    assert found[0] == Premise("Fruit.pear_swap", "theorem Fruit.pear_swap (p q : Prop) (h : p ∧ q) : q ∧ p")
    names = [premise.name for premise in found]
    assert len(set(names)) == len(names)
    assert not {"Fruit.ripe", "ripe", "h", "pear", "a", "b"} & set(names)


@pytest.mark.lean
async def test_lemmas_that_leave_goals_and_rewrites_are_named_too(search: LeanSearch, tmp_path: Path) -> None:
    found = {premise.name: premise.code for premise in await premises(search, tmp_path, 11)}
    assert found["Nat.add_zero"] == "theorem Nat.add_zero (n : Nat) : n + 0 = n"  # by rw?
    assert found["Nat.le_of_lt"].startswith("theorem Nat.le_of_lt ")  # by apply?
    assert len(found) > 3
    few = await premises(search, tmp_path, 11, count=2)
    assert [premise.name for premise in few] == list(found)[:2]


@pytest.mark.lean
async def test_the_place_is_judged_as_before_after_a_search(search: LeanSearch, tmp_path: Path) -> None:
    uri, point = (tmp_path / "Fruit.lean").as_uri(), find_insertion_point(TEXT, Position(8, 2))
    assert point is not None
    goal = await search.lean.goal(uri, TEXT, point)
    await search.find(goal, Whereabouts(uri, TEXT, point), 5, seconds=60)
    checks = await search.lean.check(uri, TEXT, point, ["exact pear_swap a b h", "exact h"])
    assert [check.verdict.value for check in checks] == ["closes", "invalid"]


async def test_a_goal_without_a_file_has_none() -> None:
    search = LeanSearch(LeanWorkspace(Settings()))
    assert await search.find(Goal("⊢ True"), None, 5, seconds=60) == ()


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("Try this:\n  [apply] exact Nat.le_of_lt h", ["Nat.le_of_lt", "h"]),
        ("Try this: exact Nat.le_of_lt h", ["Nat.le_of_lt", "h"]),
        ("Try these:\n• exact And.symm h\n• exact ⟨h.2, @Foo.«b c» x⟩", ["And.symm", "h", "h.2", "Foo.«b c»", "x"]),
        ("Try this:\n  [apply] refine Nat.le_trans ?_ ?h\n  -- Remaining subgoals:\n  -- ⊢ a ≤ b", ["Nat.le_trans"]),
        ("Try this:\n  [apply] refine foo ?_\nRemaining goals:\n⊢ bar ≤ baz", ["foo"]),
        ("Library suggestions:\n  foo.bar\n  baz'", ["foo.bar", "baz'"]),
        ("Library suggestions:\n  foo.bar (score: 0.5) [simp]\n  baz (score: 0.25)", ["foo.bar", "baz"]),
        ("could not close the goal with exact foo", []),
        ("", []),
    ],
)
def test_names_are_read_from_every_form_of_message(message: str, names: list[str]) -> None:
    assert named(proposed([message])) == names
