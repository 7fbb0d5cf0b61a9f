"""Steps that a goal's own text suggests, alone and with what may finish the goal behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import attrs

from llmstep.automation.goal_text import binder_of
from llmstep.automation.patterns import Fresh, pattern

if TYPE_CHECKING:
    from llmstep.automation.shape import Hypothesis, Shape

_CASES: Final = {
    "Option": "rcases {0} with _ | {x}",
    "Fin": "rcases {0} with ⟨{i}, {h}⟩",
    "Nonempty": "obtain ⟨{x}⟩ := {0}",
    "×": "obtain ⟨{a}, {b}⟩ := {0}",
    "⊕": "rcases {0} with {0} | {0}",
}
"""How something of a type is taken apart, by the type: `{0}` is its name, the others are fresh ones."""
_INDUCTIONS: Final = {
    "Nat": "induction {0} with | zero => ?_ | succ {0} {ih} => ?_",
    "ℕ": "induction {0} with | zero => ?_ | succ {0} {ih} => ?_",
    "List": "induction {0} with | nil => ?_ | cons {x} {0} {ih} => ?_",
}


@attrs.frozen
class LeanTactic:
    """A tactic to try."""

    text: str
    chance: float
    """How likely it is to be the wanted step once Lean accepts it, from 0 to 1; the model's counterpart is the mean
    probability of its tokens."""
    search: bool = False
    """It proposes texts ("Try this: …"), and these are the candidates."""


def shaped(shape: Shape) -> Iterator[LeanTactic]:
    """The steps for the target, then those for each hypothesis."""
    yield from _for_target(shape)
    for hypothesis in shape.hypotheses:
        yield from _for_hypothesis(shape, hypothesis)


def _for_target(shape: Shape) -> Iterator[LeanTactic]:
    if names := shape.introduced():
        yield LeanTactic(f"intro {' '.join(names)}", 0.65)
        if len(names) > 1:
            yield LeanTactic(f"intro {names[0]}", 0.45)
        yield LeanTactic(f"intro {' '.join(names)}; simp_all", 0.6)
        if (patterns := shape.introduced(apart=True)) != names:
            yield LeanTactic(f"rintro {' '.join(patterns)}", 0.55)
    if shape.operator == "∨":
        yield from (LeanTactic(side, 0.2) for side in ("left", "right"))
    elif shape.operator in {"∧", "↔"}:
        yield LeanTactic("constructor <;> assumption", 0.8)
        yield LeanTactic("constructor <;> simp_all", 0.6)
        if shape.operator == "↔":
            yield LeanTactic(f"constructor <;> intro {shape.fresh().name('h')}", 0.4)
    elif shape.operator == "=":
        yield LeanTactic(f"ext {shape.fresh().name('x')}", 0.4)
    elif shape.operator == "∃":
        yield from _witnesses(shape)


def _witnesses(shape: Shape) -> Iterator[LeanTactic]:
    names, _ = binder_of(shape.target)
    holes = "_, " * max(1, len(names))
    yield LeanTactic(f"exact ⟨{holes}by assumption⟩", 0.7)
    yield LeanTactic(f"exact ⟨{holes}rfl⟩", 0.8)
    if len(names) == 1:
        yield from (LeanTactic(f"exact ⟨{thing}, by simp_all⟩", 0.6) for thing in shape.things)


def _for_hypothesis(shape: Shape, hypothesis: Hypothesis) -> Iterator[LeanTactic]:
    name, operator = hypothesis.name, hypothesis.operator
    if operator == "∨":
        # What is taken apart is gone, and its name free again.
        apart = pattern(hypothesis.kind, Fresh.beside(shape.names - {name}), name)
    else:
        apart = pattern(hypothesis.kind, shape.fresh())
    if operator == "∧":
        yield LeanTactic(f"obtain {apart} := {name}", 0.45)
    elif operator == "∨":
        yield LeanTactic(f"rcases {name} with {apart}", 0.45)
        yield LeanTactic(f"rcases {name} with {apart} <;> simp_all", 0.6)
    elif operator == "∃":
        yield LeanTactic(f"obtain {apart} := {name}", 0.45)
        if shape.operator == "∃":
            variables, _ = binder_of(shape.target)
            first = apart[1 : apart.index(",")]
            end = f"{first}, by simp_all" if len(variables) == 1 else "_, " * len(variables) + "by assumption"
            yield LeanTactic(f"obtain {apart} := {name}; exact ⟨{end}⟩", 0.6)
    elif operator == "=":
        yield LeanTactic(f"subst {name}", 0.3)
        yield from (LeanTactic(f"rw [{arrow}{name}]", 0.4) for arrow in ("", "← "))
    elif operator == "↔":
        yield LeanTactic(f"rw [{name}]", 0.4)
    elif operator in {"→", "∀", "¬"}:
        yield LeanTactic(f"apply {name}", 0.4)
        yield LeanTactic(f"apply {name} <;> assumption", 0.65)
        if operator == "¬" and shape.operator != "False":
            yield LeanTactic(f"refine absurd ?_ {name}", 0.2)
    else:
        yield from _for_inductive(shape, name, operator)


def _for_inductive(shape: Shape, name: str, kind: str) -> Iterator[LeanTactic]:
    """Cases and induction on something of a type of Lean's or the user's, which may or may not be inductive."""
    fresh = shape.fresh()
    names = {wish: fresh.name(wish) for wish in ("x", "i", "h", "a", "b", "ih")}
    if kind in _CASES:
        yield LeanTactic(_CASES[kind].format(name, **names), 0.3)
    elif kind in _INDUCTIONS:
        yield LeanTactic(f"induction {name} <;> simp_all", 0.6)
        yield LeanTactic(_INDUCTIONS[kind].format(name, **names), 0.25)
        yield LeanTactic(f"cases {name}", 0.15)
    else:
        if kind == "Bool":
            yield LeanTactic(f"cases {name} <;> rfl", 0.85)
        elif not name.startswith("h"):  # as facts are called, which induction seldom helps with
            yield LeanTactic(f"induction {name} <;> simp_all", 0.5)
            yield LeanTactic(f"induction {name}", 0.15)
        yield LeanTactic(f"cases {name} <;> simp_all", 0.55)
        yield LeanTactic(f"cases {name}", 0.15)
