"""Sketches by models of steps: facts from the model and from the goal's text, then a search for goal and fact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from scripted_model import PLAN

from llmstep.engine.engine import Engine
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.lean.text import position_at
from llmstep.proofs.prover import WholeProver
from llmstep.proofs.sketching import facts_of, stated
from llmstep.search.attempt import Task
from llmstep.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llmstep.lean.workspace import LeanWorkspace


@pytest.mark.parametrize(
    ("goal", "facts"),
    [
        ("p q : Prop\nh : p → q\nhp : p\n⊢ q", []),
        ("p q : Prop\nh : p → q\n⊢ q", ["p"]),
        ("p q r : Prop\nh : p → q\nk : q → r\n⊢ r", ["q"]),
        ("p q r : Prop\nh : p → q\nk : q → r\nhq : q\n⊢ r", []),
        ("p q : Prop\n⊢ p ∧ (q ∨ p)", ["p", "(q ∨ p)"]),
        ("p q : Prop\nh : p ∨ q\n⊢ False", ["q ∨ p"]),
        ("n : Nat\n⊢ n = n", []),
    ],
)
def test_facts_from_the_text_of_a_goal(goal: str, facts: list[str]) -> None:
    assert [each.statement for each in facts_of(goal)] == facts


def test_what_a_step_states() -> None:
    steps = [
        "have h : p ∧ q := ⟨a, b⟩",
        "have h : p := by simp",
        "have (x : Nat) : x = x := rfl",
        "have := foo",
        "have h := foo (x := 1)",
        "exact h",
        "have h : ∀ x, x = x",
    ]
    assert [(each.named, each.statement) for each in stated(steps)] == [
        ("have h", "p ∧ q"),
        ("have h", "p"),
        ("have (x : Nat)", "x = x"),
        ("have h", "∀ x, x = x"),
    ]


BY_A_FACT = "theorem t (p q r : Prop) (hp : p) (h : p → q) (k : q → r ∧ q) : r := by\n  sorry\n"
WITHOUT = "theorem t (α : Type) (f : α → α) (P Q : α → Prop) (x : α) (h : P x ∨ Q x) : Q x ∨ P x := by\n  sorry\n"
"""Its text suggests the types `α` and `Prop`, which are no facts."""


@pytest.mark.lean
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    ("text", "tactics", "by_a_fact"), [(BY_A_FACT, "list", True), (BY_A_FACT, "both", True), (WITHOUT, "list", False)]
)
async def test_a_proof_by_way_of_a_fact_or_without_one(
    workspace: LeanWorkspace,
    tmp_path: Path,
    complaints: Callable[[str], list[str]],
    text: str,
    tactics: Any,
    by_a_fact: bool,
) -> None:
    engine = Engine(Settings(model="starter", device="cpu"))
    plan = attrs.evolve(PLAN, strategy="sketch", tactics=tactics, expansions=32)
    points = find_insertion_points(text, position_at(text, text.index("sorry")))
    said: list[str] = []
    task = Task((tmp_path / "A.lean").as_uri(), text, points)
    found = await WholeProver(engine, workspace).prove(task, plan, lambda update: said.append(update.message))
    await engine.close()
    assert (found.outcome, found.strategy, found.rounds) == ("proved", "sketch", 0)
    assert found.proof is not None
    assert found.proof.startswith("have") == by_a_fact
    assert found.model == (None if tactics == "list" else "starter")
    assert not [each for each in said if each.endswith((": α", ": Prop"))]
    assert complaints(text.replace("sorry", found.proof.replace("\n", "\n  "))) == []
