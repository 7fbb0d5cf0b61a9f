"""Proofs of real theorems by the fixed list and the real Lean: the edit, and what Lean says about the whole file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from llmstep.errors import NoGoalError
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.lean.text import offset_at, position_at
from llmstep.progress import silent
from llmstep.search.attempt import Attempt, Plan, Task
from llmstep.search.expander import LeanExpander
from llmstep.search.judge import Judge
from llmstep.search.proposals import Proposer
from llmstep.search.prover import StepProver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lsprotocol.types import TextEdit

    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.progress import Progress, ProgressSink

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

FEW = ("rfl", "assumption", "simp_all", "intro h", "symm", "constructor", "left", "rcases ‹_ ∨ _› with h | h")
LIST = Plan(tactics="list", fixed=FEW, expansions=24, seconds=60)

# `§` is the cursor; it is not part of the text.
CASES = {
    "one step": "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  §sorry\n",
    "several steps": "theorem t (A B : Prop) (h : A ∨ B) : B ∨ A := by\n  §sorry\n",
    "behind a step": "theorem t (p q : Prop) : p → q → p := by\n  intro hp§\n",
    "nothing behind by": "theorem t (p : Prop) (h : p) : p := by§\n",
    "both goals that are open at the end": (
        "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n  §\n"
    ),
    "only the first, the second has its step": (
        "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n  §\n  exact hq\n"
    ),
    "in a dot": "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n  · §sorry\n  · exact hq\n",
    "in a term": "theorem t (n : Nat) : n = n ∧ True := ⟨§sorry, trivial⟩\n",
    "behind <;>": "theorem t (p : Prop) (h : p) : p ∧ p := by\n  constructor <;> §sorry\n",
    "Windows line ends, other scripts, no line end at the end": (
        "-- 𝔸 é\r\ntheorem «𝔸» (𝔸 é : Prop) (h : 𝔸 ∨ é) : é ∨ 𝔸 := by  /- 𝔸 -/ §sorry\r\n"
        "\r\ntheorem u : True := trivial"
    ),
}


def marked(text: str) -> tuple[str, int]:
    return text.replace("§", "", 1), text.index("§")


def applied(text: str, edit: TextEdit) -> str:
    return text[: offset_at(text, edit.range.start)] + edit.new_text + text[offset_at(text, edit.range.end) :]


async def attempt(
    prover: StepProver, folder: Path, text: str, plan: Plan = LIST, progress: ProgressSink = silent
) -> Attempt:
    plain, cursor = marked(text)
    points = find_insertion_points(plain, position_at(plain, cursor))
    return await prover.prove(Task((folder / "A.lean").as_uri(), plain, points), plan, progress)


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
async def test_the_edit_completes_the_proof(
    prover: StepProver, tmp_path: Path, complaints: Callable[[str], list[str]], text: str
) -> None:
    found = await attempt(prover, tmp_path, text)
    assert found.outcome == "proved"
    assert found.edit is not None
    assert found.proof == "\n".join(found.steps or ())
    assert 1 <= found.expansions <= 24
    assert found.model is None, "no model was asked"
    assert complaints(applied(marked(text)[0], found.edit)) == []


async def test_it_is_the_same_every_time(prover: StepProver, tmp_path: Path) -> None:
    first, second = [await attempt(prover, tmp_path, CASES["several steps"]) for _ in range(2)]
    assert (first.steps, first.expansions, first.states) == (second.steps, second.expansions, second.states)
    assert len(first.steps or ()) == 3
    assert first.steps is not None
    assert first.steps[0] == "rcases ‹_ ∨ _› with h | h"


async def test_steps_that_are_not_needed_are_left_out(workspace: LeanWorkspace, tmp_path: Path) -> None:
    text = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n"
    [point, *_] = find_insertion_points(text, position_at(text, text.index("sorry")))
    uri = (tmp_path / "A.lean").as_uri()
    goal = await workspace.goal(uri, text, point)
    expander = LeanExpander(Judge(workspace, uri, text, point, goal), Proposer(None))
    proof = ("have one := hp", "constructor", "exact one", "have two := hp", "exact hq")
    assert await expander.shortened(proof) == ("have one := hp", "constructor", "exact one", "exact hq")
    assert await expander.shortened(("skip", "exact ⟨hp, hq⟩")) == ("exact ⟨hp, hq⟩",)
    assert await expander.shortened(("simp_all",)) == ("simp_all",)


async def test_a_state_is_expanded_in_order_until_the_proof_is_finished(
    workspace: LeanWorkspace, tmp_path: Path
) -> None:
    text = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n"
    [point, *_] = find_insertion_points(text, position_at(text, text.index("sorry")))
    uri = (tmp_path / "A.lean").as_uri()
    goal = await workspace.goal(uri, text, point)
    judge = Judge(workspace, uri, text, point, goal)
    fixed = ("no_such_tactic", "intro h", "constructor", "exact ⟨hp, hq⟩", "trivial")
    expander = LeanExpander(judge, Proposer(None, fixed=fixed))
    context = "p q : Prop\nhp : p\nhq : q\n"
    first = await expander.expand(judge.root, ())
    assert [(step.tactic, step.goals) for step in first] == [
        ("no_such_tactic", None),
        ("intro h", None),
        ("constructor", (f"case left\n{context}⊢ p", f"case right\n{context}⊢ q")),
        ("exact ⟨hp, hq⟩", ()),
    ]
    assert first[2].goals is not None
    second = await expander.expand(first[2].goals, ("constructor",))
    assert [(step.tactic, step.goals) for step in second] == [
        ("intro h", None),
        ("constructor", None),
        ("exact ⟨hp, hq⟩", None),
        ("trivial", (f"case right\n{context}⊢ q",)),
    ], "what Lean does not know is not tried again"


async def test_what_is_false_is_not_proved(prover: StepProver, tmp_path: Path) -> None:
    found = await attempt(prover, tmp_path, "theorem t (p q : Prop) (h : p) : q := by\n  §sorry\n")
    assert (found.proof, found.steps, found.edit) == (None, None, None)
    assert found.outcome == "exhausted"


async def test_the_budget(prover: StepProver, tmp_path: Path) -> None:
    found = await attempt(prover, tmp_path, CASES["several steps"], Plan(tactics="list", fixed=FEW, expansions=1))
    assert (found.outcome, found.expansions, found.proof) == ("expansions", 1, None)


async def test_errors_elsewhere_do_not_matter(prover: StepProver, tmp_path: Path) -> None:
    text = f"theorem bad : 1 = 2 := rfl\n\n{CASES['one step']}\ntheorem worse : 1 = 2 := by\n  exact nothing\n"
    found = await attempt(prover, tmp_path, text)
    assert found.outcome == "proved"


async def test_the_whole_file_must_accept_the_proof(prover: StepProver, tmp_path: Path) -> None:
    """`rfl` closes the goal by choosing the number, which leaves nothing for the step behind it."""
    text = "theorem t : ∃ n : Nat, n = 2 := by\n  apply Exists.intro\n  §sorry\n  exact 2\n"
    found = await attempt(prover, tmp_path, text, Plan(tactics="list", fixed=FEW, expansions=1))
    assert (found.outcome, found.proof, found.edit) == ("refused", None, None)


async def test_the_theorem_itself_is_no_proof(prover: StepProver, tmp_path: Path) -> None:
    found = await attempt(prover, tmp_path, "theorem t (p : Prop) : p := by\n  §sorry\n")
    assert found.proof is None


async def test_progress(prover: StepProver, tmp_path: Path) -> None:
    told: list[Progress] = []
    found = await attempt(prover, tmp_path, CASES["several steps"], progress=told.append)
    searching = [each for each in told if each.stage == "search"]
    assert [each.done for each in searching] == list(range(found.expansions))
    assert {each.total for each in searching} == {24}
    assert searching[0].message == "Searching: 0 expanded, 0 open, depth 0"
    assert searching[-1].message.startswith(f"Searching: {found.expansions - 1} expanded, ")
    assert [each.stage for each in (told[0], told[-1])] == ["goal", "check"]


async def test_cancelling_leaves_lean_ready_for_the_next(prover: StepProver, tmp_path: Path) -> None:
    started = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if progress.stage == "search" and progress.done:
            started.set()

    task = asyncio.create_task(attempt(prover, tmp_path, CASES["several steps"], progress=on_progress))
    await asyncio.wait_for(started.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = await attempt(prover, tmp_path, CASES["one step"])
    assert found.outcome == "proved"


async def test_no_goal(prover: StepProver, tmp_path: Path) -> None:
    with pytest.raises(NoGoalError):
        await attempt(prover, tmp_path, "§\ntheorem t : True := trivial\n")


async def test_errors_of_a_whole_file(workspace: LeanWorkspace, tmp_path: Path) -> None:
    uri = (tmp_path / "B.lean").as_uri()
    assert await workspace.errors(uri, "theorem t : True := trivial\n") == []
    assert await workspace.errors(
        uri, "theorem t : True := by\n  exact no\n\ntheorem u : True := by\n  exact yes\n"
    ) == [
        "Unknown identifier `no`",
        "Unknown identifier `yes`",
    ]
