"""Local names of a goal under plain ones, and back."""

from __future__ import annotations

import pytest

from llmstep.catalog.local_names import local_names
from llmstep.catalog.templates import get_template
from llmstep.engine.postprocess import RawSample, finish
from llmstep.types import Goal, PromptInput

STARTER = get_template("starter")
WET = "rain wet : Prop\nlorem7 : rain → wet\nhr' : rain\n⊢ wet"
GOALS = {
    # kinds
    WET: "p q : Prop\nh₁ : p → q\nh₂ : p\n⊢ q",
    "X : Type u_1\nmortal : X → Prop\nnext : X → X\nxs : List X\nbob : X\nall : ∀ (y : X), mortal y\n⊢ mortal bob": (
        "α : Type u_1\nP : α → Prop\nf : α → α\na : List α\nb : α\nh₁ : ∀ (x : α), P x\n⊢ P b"
    ),
    "k total : Nat\nhk : k ≤ total\n⊢ k < total + 1": "n m : Nat\nh₁ : n ≤ m\n⊢ n < m + 1",
    # bound names, one or several, with and without a type
    "⊢ ∀ (A B : Prop), A ∧ B → ∃ k j, k = j": "⊢ ∀ (x y : Prop), x ∧ y → ∃ z w, z = w",
    "S : Nat → Nat\n⊢ (fun t => S t) = S": "f : Nat → Nat\n⊢ (fun x => f x) = f",
    # a case line, names that nobody can write, constants and fields stay
    "case inl\ninl h✝ : Nat\nNat' : inl = Nat.succ h✝\n⊢ inl.succ = Nat.succ inl": (
        "case inl\nn h✝ : Nat\nh₁ : n = Nat.succ h✝\n⊢ n.succ = Nat.succ n"
    ),
    "a : Prop\n«odd name» : a\n⊢ a ∧ p.q": "q : Prop\n«odd name» : q\n⊢ q ∧ p.q",
    # a type over several lines
    "p : Prop\nlong : p →\n    p\n⊢ p": "p : Prop\nh₁ : p →\n    p\n⊢ p",
    "⊢ 1 + 1 = 2": "⊢ 1 + 1 = 2",
}


@pytest.mark.parametrize(("goal", "plain"), GOALS.items())
def test_goals_with_plain_names(goal: str, plain: str) -> None:
    assert local_names(goal).hidden(goal) == plain
    assert local_names(plain).hidden(plain) == plain
    assert local_names(goal).shown(plain.partition("⊢")[2], "show") == goal.partition("⊢")[2]


def test_more_names_than_the_list_has() -> None:
    goal = "".join(f"a{number} : Nat\n" for number in range(12)) + "⊢ a11 = a0"
    assert local_names(goal).hidden(goal).splitlines()[-3:] == ["n₆ : Nat", "n₇ : Nat", "⊢ n₇ = n"]


@pytest.mark.parametrize(
    ("step", "shown"),
    [
        ("exact h₁ h₂", "exact lorem7 hr'"),
        ("exact ⟨h₂, h₁.1⟩ <;> simp [h₂]", "exact ⟨hr', lorem7.1⟩ <;> simp [hr']"),
        ("rw [← h₁] at h₂", "rw [← lorem7] at hr'"),
        ("intro h₃ h₄", "intro h h₁"),
        ("rcases h₁ with h₃ | h₃", "rcases lorem7 with h | h"),
        ("have rain := h₂", "have h := hr'"),
        ("exact Nat.le_of_lt h₁", "exact Nat.le_of_lt lorem7"),
    ],
)
def test_steps_come_back_in_the_names_of_the_goal(step: str, shown: str) -> None:
    assert local_names(WET).shown(step) == shown


def test_tactics_keep_their_names_whatever_a_hypothesis_is_called() -> None:
    names = local_names("p : Prop\nleft exact : p\n⊢ p ∨ p")
    for plain, step in (
        ("left", "left"),
        ("exact Or.inl h₁", "exact Or.inl left"),
        ("left; exact h₂", "left; exact exact"),
    ):
        assert names.shown(plain) == step
        assert names.hidden_step(step) == plain


def test_a_new_name_is_free_in_the_goal_and_in_the_step() -> None:
    assert local_names("h : True\n⊢ p → p").shown("intro h₂; exact h₂") == "intro h₁; exact h₁"
    assert local_names("h : True\n⊢ p → p").shown("intro h₃; exact h; exact h₂") == "intro h₁; exact h₂; exact h₃"


@pytest.mark.parametrize(
    ("prefix", "prompt", "answer", "step"),
    [
        ("", "", "exact h₁ h₂", "exact lorem7 hr'"),
        ("exact lorem7 ", "exact h₁", " h₂", "exact lorem7 hr'"),
        ("exact lorem7", "exact h₁", " h₂", "exact lorem7 hr'"),
        ("exact lor", "exact", " h₁ h₂", "exact lorem7 hr'"),
        ("exact lor", "exact", " h₂", None),
        ("exa", "exa", "ct h₁ h₂", "exact lorem7 hr'"),
        ("lorem7", "lorem7", " at h₂", "lorem7 at hr'"),
        ("exact (lorem7 hr", "exact (h₁", " h₂)", "exact (lorem7 hr')"),
    ],
)
def test_prefixes(prefix: str, prompt: str, answer: str, step: str | None) -> None:
    ask = PromptInput(Goal(WET), prefix)
    assert STARTER.prompt(ask) == f"[GOAL]{GOALS[WET]}[PROOFSTEP]{prompt}"
    found = finish(STARTER, ask, [RawSample(answer, -1.0, 4)])
    assert [candidate.text for candidate in found] == ([] if step is None else [step])


def test_other_templates_read_the_names_as_they_are() -> None:
    assert get_template("pythia").prompt(PromptInput(Goal(WET), "exact lor")) == f"[GOAL]{WET}[PROOFSTEP]exact lor"
