"""Long hypotheses stand on the lines that Lean's `ppGoal` uses, in the goals that models get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstep.lean.goal_layout import from_messages, may_differ
from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.text import position_at
from llmstep.lean.workspace import LeanWorkspace
from llmstep.settings import CheckSettings, LeanSettings, Settings
from llmstep.types import Verdict

if TYPE_CHECKING:
    from pathlib import Path

LONG = " ∧ ".join(["aVeryLongPropositionName", "anotherLongPropositionName", "yetAnotherPropositionName"])
TEXT = (
    "theorem t (aVeryLongPropositionName anotherLongPropositionName yetAnotherPropositionName : Prop)\n"
    f"    (h : ({LONG} ∧ aVeryLongPropositionName) ∧ {LONG} ∧ aVeryLongPropositionName → {LONG})\n"
    f"    (k : aVeryLongPropositionName) : {LONG} ∧ True := by\n  constructor\n  sorry\n"
)


@pytest.mark.lean
@pytest.mark.asyncio
async def test_the_goal_is_that_of_an_unsolved_goals_error(lean_command: tuple[str, ...], tmp_path: Path) -> None:
    workspace = LeanWorkspace(
        Settings(lean=LeanSettings(command=lean_command, timeout_seconds=120), check=CheckSettings(timeout_seconds=20))
    )
    uri = (tmp_path / "A.lean").as_uri()
    point = find_insertion_point(TEXT, position_at(TEXT, TEXT.index("sorry")))
    assert point is not None
    try:
        goal = await workspace.goal(uri, TEXT, point)
        [check] = await workspace.check(uri, TEXT, point, ["exact k"])
        assert check.verdict is Verdict.CLOSES
        [error] = [each for each in await workspace.errors(uri, TEXT.replace("  sorry\n", "")) if "unsolved" in each]
    finally:
        await workspace.close()
    assert error == f"unsolved goals\n{goal.state}"
    assert max(map(len, goal.state.split("\n"))) <= 120
    assert any(line.startswith("    ") for line in goal.text.split("\n"))


def test_which_goals_are_asked_about() -> None:
    assert not may_differ("case left\np q : Prop\nh :\n  p ∧\n    q\n⊢ p ∧\n    q")
    assert may_differ("h : p ∧\n  q\n⊢ p")
    assert may_differ("h :\n  " + "x" * 119 + "\n⊢ p")


def test_a_message_that_says_something_else_is_not_taken() -> None:
    goals = ["h : p ∧ q\n⊢ p", "⊢ q"]
    right = "h :\n  p ∧ q\n⊢ p\n\n⊢ q"
    assert from_messages(goals, ["other", right]) == ("h :\n  p ∧ q\n⊢ p", "⊢ q")
    for wrong in ("h :\n  p ∧ q\n⊢ p", "h :\n  p ∧ r\n⊢ p\n\n⊢ q", ""):
        assert from_messages(goals, [wrong]) == tuple(goals)
