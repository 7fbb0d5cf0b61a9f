"""The proof search among steps that Lean must not take: the table of verdicts, with the bad steps first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from verdict_cases import Case, read_table

from llmstep.errors import NoGoalError
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.lean.step import inserted
from llmstep.lean.text import offset_at, position_at
from llmstep.search.attempt import Plan, Task
from llmstep.search.prover import StepProver
from llmstep.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

CASES = read_table("verdicts.txt")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
async def test_only_what_closes_the_goal_is_a_proof(
    prover: StepProver, tmp_path: Path, complaints: Callable[[str], list[str]], case: Case
) -> None:
    closing = [each.candidate for each in case.expected if each.verdict is Verdict.CLOSES]
    others = [each.candidate for each in case.expected if each.verdict is not Verdict.CLOSES]
    plan = Plan(tactics="list", fixed=(*others, *closing), expansions=1, seconds=120)
    points = find_insertion_points(case.text, position_at(case.text, case.cursor))
    found = await prover.prove(Task((tmp_path / "A.lean").as_uri(), case.text, points), plan)
    if not closing:
        assert found.proof is None
        return
    assert found.proof in {inserted(candidate) for candidate in closing}
    assert found.edit is not None
    start, end = (offset_at(case.text, place) for place in (found.edit.range.start, found.edit.range.end))
    done = case.text[:start] + found.edit.new_text + case.text[end:]
    assert set(complaints(done)) <= set(complaints(case.text))


async def test_a_statement_with_an_error_has_no_proof(prover: StepProver, tmp_path: Path) -> None:
    text = "theorem above : 1 = 1 := rfl\n\ntheorem t (a : Foo.Bar) (p : Prop) (h : p) : p := by\n  sorry\n"
    points = find_insertion_points(text, position_at(text, text.index("sorry")))
    with pytest.raises(NoGoalError) as caught:
        await prover.prove(Task((tmp_path / "A.lean").as_uri(), text, points), Plan(tactics="list", expansions=1))
    assert caught.value.message == "The statement has an error of its own, so that nothing can be proved about it."
    assert caught.value.hint == "Lean reports at line 3: Unknown identifier `Foo.Bar`"


async def test_the_search_goes_on_behind_a_proof_that_the_file_refuses(prover: StepProver, tmp_path: Path) -> None:
    """`rfl` closes the goal by choosing the number, which leaves nothing for the step behind it."""
    text = "theorem t : ∃ n : Nat, n = 2 := by\n  apply Exists.intro\n  sorry\n  exact 2\n"
    plan = Plan(tactics="list", fixed=("rfl", "show _ = 2"), expansions=3)
    points = find_insertion_points(text, position_at(text, text.index("sorry")))
    found = await prover.prove(Task((tmp_path / "A.lean").as_uri(), text, points), plan)
    assert (found.proof, found.outcome) == (None, "refused")
    assert found.expansions >= 1
