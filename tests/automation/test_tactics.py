"""Which tactics are tried at which goal, from the goal's text alone; and what searches propose."""

from __future__ import annotations

import pytest

from llmstep.automation.tactics import DEFAULT_TACTICS, tactics_for
from llmstep.lean.proposals import proposed
from llmstep.types import Goal

SHAPED = [
    (
        "p q : Prop\nh : p ∧ q\n⊢ q ∧ p",
        ["constructor <;> assumption", "constructor <;> simp_all", "obtain ⟨h₁, h₂⟩ := h"],
    ),
    (
        "h : p ∨ q\n⊢ q ∨ p",
        ["left", "right", "rcases h with h | h", "rcases h with h | h <;> simp_all"],
    ),
    ("h : ∃ x, s x\n⊢ p", ["obtain ⟨x, h₁⟩ := h"]),
    ("x : α\nh : ∃ x, s x\n⊢ p", ["obtain ⟨x₁, h₁⟩ := h"]),
    ("h : ∃ x y, p ∧ (q ∧ r) ∧ s\n⊢ u", ["obtain ⟨x, y, h₁, ⟨h₂, h₃⟩, h₄⟩ := h"]),
    ("h : ∃ ε > 0, ∃ δ, t δ ∨ u\n⊢ v", ["obtain ⟨ε, h₁, δ, (h₂ | h₂)⟩ := h"]),
    (
        "long : p ∧ q ∨ r\n⊢ s",
        ["rcases long with ⟨h, h₁⟩ | long", "rcases long with ⟨h, h₁⟩ | long <;> simp_all"],
    ),
    (
        "h : ∃ x, s x\n⊢ ∃ x, t x",
        [
            "exact ⟨_, by assumption⟩",
            "exact ⟨_, rfl⟩",
            "obtain ⟨x, h₁⟩ := h",
            "obtain ⟨x, h₁⟩ := h; exact ⟨x, by simp_all⟩",
        ],
    ),
    (
        "α : Type\np : Prop\na : α\nh : p\n⊢ ∃ x, t x",
        ["exact ⟨_, by assumption⟩", "exact ⟨_, rfl⟩", "exact ⟨a, by simp_all⟩"],
    ),
    ("h : a = b\n⊢ p a b", ["subst h", "rw [h]", "rw [← h]"]),
    ("h : p ↔ q\n⊢ q", ["rw [h]"]),
    ("h : p → q\n⊢ q", ["apply h", "apply h <;> assumption"]),
    ("h : ¬p\n⊢ q", ["apply h", "apply h <;> assumption", "refine absurd ?_ h"]),
    ("α : Type\nf : α → α\ns : α → Prop\n⊢ q", []),
    (
        "n : Nat\n⊢ s n",
        ["induction n <;> simp_all", "induction n with | zero => ?_ | succ n ih => ?_", "cases n"],
    ),
    (
        "x : α\nxs : List α\n⊢ s xs",
        ["induction xs <;> simp_all", "induction xs with | nil => ?_ | cons x₁ xs ih => ?_", "cases xs"],
    ),
    ("o : Option α\n⊢ p", ["rcases o with _ | x"]),
    ("c : Colour\n⊢ p", ["induction c <;> simp_all", "induction c", "cases c <;> simp_all", "cases c"]),
    ("h : Even n\n⊢ p", ["cases h <;> simp_all", "cases h"]),
    ("b : Bool\n⊢ p", ["cases b <;> rfl", "cases b <;> simp_all", "cases b"]),
    ("a : α × β\n⊢ p", ["obtain ⟨a₁, b⟩ := a"]),
    ("x : ℝ\ns : Set ℝ\n⊢ p", []),
    ("x : α\n⊢ f = g", ["ext x₁"]),
    ("⊢ ∀ x y : Nat, x + y = y + x", ["intro x y", "intro x", "intro x y; simp_all"]),
    ("⊢ ∀ (x : α) {y z : β}, p x y → q z", ["intro x y z h", "intro x", "intro x y z h; simp_all"]),
    ("⊢ ∀ ε > 0, ∃ δ > 0, δ < ε", ["intro ε h", "intro ε", "intro ε h; simp_all"]),
    ("h : q\n⊢ p → p", ["intro h₁", "intro h₁; simp_all"]),
    ("⊢ ¬¬p → p", ["intro h", "intro h; simp_all"]),
    ("⊢ ¬p", ["intro h", "intro h; simp_all"]),
    (
        "h : t\n⊢ (p ∨ q ∧ r) → (∃ x, s x) → t",
        ["intro h₁ h₂", "intro h₁", "intro h₁ h₂; simp_all", "rintro (h₁ | ⟨h₁, h₂⟩) ⟨x, h₃⟩"],
    ),
    ("⊢ (p → q) ∨ r", ["left", "right"]),
    ("⊢ p ↔ q", ["constructor <;> assumption", "constructor <;> simp_all", "constructor <;> intro h"]),
    ("case inl.intro\nlong : a =\n    b\n⊢ c", ["subst long", "rw [long]", "rw [← long]"]),
    ("x✝ : a = b\n⊢ c", []),
    ("", []),
    ("⊢ ∀ x", []),
]


@pytest.mark.parametrize(("goal", "steps"), SHAPED, ids=[goal for goal, _ in SHAPED])
def test_steps_that_the_shape_of_a_goal_suggests(goal: str, steps: list[str]) -> None:
    tried = [each.text for each in tactics_for(Goal(goal))]
    assert [text for text in tried if text not in DEFAULT_TACTICS] == steps


def test_cheap_tactics_come_first_and_searches_last() -> None:
    tried = tactics_for(Goal("n : Nat\n⊢ n = n"))
    assert tried[0].text == "rfl"
    searches = [each.search for each in tried]
    assert searches == sorted(searches)
    assert [each.text for each in tried if each.search] == ["exact?", "simp?", "rw?", "apply?", "aesop?"]


def test_a_prefix_keeps_what_begins_with_it_and_the_searches() -> None:
    tried = tactics_for(Goal("n : Nat\n⊢ n = n"), prefix="simp")
    assert [each.text for each in tried if not each.search] == ["simp", "simp_all"]
    assert [each.text for each in tried if each.search] == ["exact?", "simp?", "rw?", "apply?", "aesop?"]


def test_the_list_of_the_user_replaces_the_default() -> None:
    tried = tactics_for(Goal("h : p ∧ q\n⊢ p"), ["tauto", "exact?", "my_tactic with h"])
    assert [(each.text, each.search) for each in tried] == [
        ("tauto", False),
        ("my_tactic with h", False),
        ("exact?", True),
    ]


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        ("Try this: exact h", ["exact h"]),
        ("Try this:\n  [apply] exact ⟨hp, hq⟩", ["exact ⟨hp, hq⟩"]),
        ("Try this:\n  [apply] rw [h]\n  -- b + 0 = b", ["rw [h]"]),
        ("Try these:\n  [apply] simp [*]\n  [apply] simp_all", ["simp [*]", "simp_all"]),
        ("Try these:\n• simp\n• grind", ["simp", "grind"]),
        ("Try this: refine foo ?_ ?_\nRemaining subgoals:\n⊢ p\n⊢ q", ["refine foo ?_ ?_"]),
        ("Try this:\n  [apply] cases h with\n  | inl a => exact a\n  | inr b =>\n    exact b",
         ["cases h with\n  | inl a => exact a\n  | inr b =>\n    exact b"]),
        ("found an applicable rewrite lemma, but the corresponding tactic failed:\n  rw [x]", []),
        ("unused variable `Try this: exact h`", []),
        ("", []),
    ],
)  # fmt: skip
def test_what_a_search_proposes(message: str, texts: list[str]) -> None:
    assert proposed([message]) == texts
