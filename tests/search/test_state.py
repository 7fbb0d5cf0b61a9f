"""When two tactic states count as one."""

from __future__ import annotations

import pytest

from llmstep.search.state import canonical, hypotheses

SAME = {
    "the name of a hypothesis": (["p : Prop\nh : p\n⊢ p"], ["p : Prop\nhp : p\n⊢ p"]),
    "the name of a variable, wherever it is used": (
        ["p q : Prop\nh : p ∧ q\n⊢ q ∧ p"],
        ["a b : Prop\nh : a ∧ b\n⊢ b ∧ a"],
    ),
    "projections": (["h : p ∧ q\n⊢ h.left = h.1"], ["k : p ∧ q\n⊢ k.left = k.1"]),
    "names with marks": (["x' : Nat\nh₁ : x' = 0\n⊢ x' = 0"], ["y! : Nat\nh : y! = 0\n⊢ y! = 0"]),
    "quoted names": (["«a b» : Nat\n⊢ «a b» = 0"], ["n : Nat\n⊢ n = 0"]),
    "a bound variable that shares the name": (["x : Nat\n⊢ ∀ x, x = x"], ["y : Nat\n⊢ ∀ y, y = y"]),
    "the case line": (["case inl\np : Prop\n⊢ p"], ["case succ.inr\np : Prop\n⊢ p"], ["p : Prop\n⊢ p"]),
    "inaccessible names": (["p : Prop\nh✝ : p\n⊢ p"], ["p : Prop\na✝ : p\n⊢ p"], ["p : Prop\na✝¹ : p\n⊢ p"]),
    "several inaccessible names": (["a✝¹ : p\na✝ : q\n⊢ f a✝ a✝¹"], ["h✝ : p\nk✝ : q\n⊢ f k✝ h✝"]),
    "a name in a continuation line": (
        ["h :\n  f a =\n    g h2\nh2 : q\n⊢ h2 = h"],
        ["k :\n  f a =\n    g m\nm : q\n⊢ m = k"],
    ),
    "let variables": (["x : Nat := 3\n⊢ x = 3"], ["y : Nat := 3\n⊢ y = 3"]),
    "numbers of metavariables": (
        ["⊢ ?m.12 = ?m.13", "⊢ P ?m.13"],
        ["⊢ ?m.7 = ?m.104", "⊢ P ?m.104"],
    ),
    "goals without hypotheses": (["⊢ True"], ["⊢ True"]),
    "blank lines around": (["⊢ True\n"], ["⊢ True"]),
}

DIFFERENT = {
    "a hypothesis more": (["h : p\n⊢ p"], ["h : p\nk : p\n⊢ p"]),
    "another target": (["h : p\n⊢ p"], ["h : p\n⊢ q"]),
    "names that change places": (["p q : Prop\nh : p\n⊢ q"], ["p q : Prop\nh : q\n⊢ p"]),
    "which hypothesis is meant": (["h : p\nk : p\n⊢ f h"], ["h : p\nk : p\n⊢ f k"]),
    "an order of hypotheses": (["h : p\nk : q\n⊢ r"], ["h : q\nk : p\n⊢ r"]),
    "accessible or not": (["h : p\n⊢ p"], ["h✝ : p\n⊢ p"]),
    "a constant of that name with dots": (["f : Nat\n⊢ Foo.f = 0"], ["g : Nat\n⊢ Foo.g = 0"]),
    "the field behind a hypothesis": (["h : p\n⊢ h.1 = x"], ["h : p\n⊢ h.2 = x"]),
    "the field behind a term": (["left : p\n⊢ (f x).left"], ["a : p\n⊢ (f x).a"]),
    "a part of a longer name": (["h : p\n⊢ hh"], ["k : p\n⊢ kh"]),
    "a string": (['p : Prop\n⊢ s = "p"'], ['q : Prop\n⊢ s = "q"']),
    "a metavariable with a name": (["⊢ ?w = 0"], ["⊢ ?x = 0"]),
    "metavariables that are the same": (["⊢ ?m.1 = ?m.2"], ["⊢ ?m.1 = ?m.1"]),
    "metavariables that two goals share": (["⊢ ?m.1 = 0", "⊢ ?m.1 = 1"], ["⊢ ?m.1 = 0", "⊢ ?m.2 = 1"]),
    "the order of goals": (["⊢ a", "⊢ b"], ["⊢ b", "⊢ a"]),
    "the number of goals": (["⊢ a"], ["⊢ a", "⊢ a"]),
    "a free name that looks like a bound one": (["x : Nat\n⊢ ∀ x, x = x"], ["y : Nat\n⊢ ∀ x, x = y"]),
    "the value of a let variable": (["x : Nat := 3\n⊢ x = 3"], ["x : Nat := 4\n⊢ x = 3"]),
    "conversion mode": (["x : Nat\n| x"], ["x : Nat\n⊢ x"]),
}


@pytest.mark.parametrize("states", SAME.values(), ids=SAME.keys())
def test_one_state(states: tuple[list[str], ...]) -> None:
    assert len({canonical(state) for state in states}) == 1


@pytest.mark.parametrize("states", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_different_states(states: tuple[list[str], ...]) -> None:
    assert len({canonical(state) for state in states}) == len(states)


@pytest.mark.parametrize(
    ("goal", "names"),
    [
        ("⊢ True", []),
        ("p q : Prop\nh : p ∧ q\n⊢ q", ["p", "q", "h"]),
        ("case inl\nα : Type u_1\ninst✝ : Inhabited α\n⊢ α", ["α", "inst✝"]),
        ("h :\n  a = b\nx : Nat := 3\n⊢ x : Nat", ["h", "x"]),
        ("x : Nat\n| x : Nat", ["x"]),
    ],
)
def test_hypotheses(goal: str, names: list[str]) -> None:
    assert hypotheses(goal) == names
