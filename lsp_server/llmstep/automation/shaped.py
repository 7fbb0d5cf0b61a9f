"""Steps that a goal's own text suggests, alone and with what may finish the goal behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

from llmstep.automation.goal_text import binder_of, entries_of, outermost, parts_at
from llmstep.automation.patterns import Fresh, introduced, pattern


@attrs.frozen
class LeanTactic:
    """A tactic to try."""

    text: str
    chance: float
    """How likely it is to be the wanted step once Lean accepts it, from 0 to 1; the model's counterpart is the mean
    probability of its tokens."""
    search: bool = False
    """It proposes texts ("Try this: …"), and these are the candidates."""


_Steps = dict[str, float]
"""Steps with their chances. `{0}` is the name of a hypothesis, `{pattern}` takes it apart, the others are fresh."""

_FOR_TARGET: Final[dict[str, _Steps]] = {
    "∨": {"left": 0.2, "right": 0.2},
    "∧": {"constructor <;> assumption": 0.8, "constructor <;> simp_all": 0.6},
    "↔": {"constructor <;> assumption": 0.8, "constructor <;> simp_all": 0.6, "constructor <;> intro {h}": 0.4},
    "=": {"ext {x}": 0.4},
}
"""By the outermost operator of the target."""
_APPLY: Final[_Steps] = {"apply {0}": 0.4, "apply {0} <;> assumption": 0.65}
_NUMBER: Final[_Steps] = {
    "induction {0} <;> simp_all": 0.6,
    "induction {0} with | zero => ?_ | succ {0} {ih} => ?_": 0.25,
    "cases {0}": 0.15,
}
_CASES: Final[_Steps] = {"cases {0} <;> simp_all": 0.55, "cases {0}": 0.15}
_FOR_HYPOTHESIS: Final[dict[str, _Steps]] = {
    "∧": {"obtain {pattern} := {0}": 0.45},
    "∨": {"rcases {0} with {pattern}": 0.45, "rcases {0} with {pattern} <;> simp_all": 0.6},
    "∃": {"obtain {pattern} := {0}": 0.45},
    "=": {"subst {0}": 0.3, "rw [{0}]": 0.4, "rw [← {0}]": 0.4},
    "↔": {"rw [{0}]": 0.4},
    "→": _APPLY,
    "∀": _APPLY,
    "¬": {**_APPLY, "refine absurd ?_ {0}": 0.2},
    "×": {"obtain ⟨{a}, {b}⟩ := {0}": 0.3},
    "⊕": {"rcases {0} with {0} | {0}": 0.3},
    "Option": {"rcases {0} with _ | {x}": 0.3},
    "Fin": {"rcases {0} with ⟨{i}, {h}⟩": 0.3},
    "Nonempty": {"obtain ⟨{x}⟩ := {0}": 0.3},
    "Nat": _NUMBER,
    "ℕ": _NUMBER,
    "List": {
        "induction {0} <;> simp_all": 0.6,
        "induction {0} with | nil => ?_ | cons {x} {0} {ih} => ?_": 0.25,
        "cases {0}": 0.15,
    },
    "Bool": {"cases {0} <;> rfl": 0.85, **_CASES},
}
"""By the outermost operator of its type, or by the constant that the type applies."""
_INDUCTIVE: Final[_Steps] = {"induction {0} <;> simp_all": 0.5, "induction {0}": 0.15, **_CASES}
"""For a type of Lean's or the user's, which may or may not be inductive."""

_CONSTANT: Final = re.compile(r"\A([A-Zℕ][\w.']*)(?: |\Z)")
_TYPE: Final = re.compile(r"\s*(?:Prop|Type|Sort)\b")
_NUMBERS: Final = frozenset(("Nat", "Int", "Rat", "Real", "ℕ", "ℤ", "ℚ", "ℝ", "ℂ", "Bool"))
_NOT_INDUCTIVE: Final = frozenset(
    ("Prop", "Type", "Sort", "Set", "Real", "Rat", "Complex", "Int", "Float", "Char", "String", "Decidable")
)
"""Heads of types that are not taken apart."""
_MAX_HYPOTHESES: Final = 6
_MAX_THINGS: Final = 3


def shaped(goal: str) -> Iterator[LeanTactic]:
    """The steps for the target of a goal as Lean prints it, then those for the last hypotheses that suggest one."""
    entries, target = entries_of(goal)
    names = frozenset(name for name, _ in entries)
    types = {name for name, kind in entries if _TYPE.match(kind) and kind.strip() != "Prop"} | _NUMBERS
    things = [name for name, kind in entries if kind.strip() in types]
    for text, chance in _for_target(target, names, things[-_MAX_THINGS:]).items():
        yield LeanTactic(text, chance)
    shapes = [(name, kind, _shape(kind, names, types)) for name, kind in entries]
    for name, kind, shape in [each for each in shapes if each[2]][-_MAX_HYPOTHESES:]:
        for text, chance in _for_hypothesis(name, kind, shape, names, target).items():
            yield LeanTactic(text, chance)


def _for_target(target: str, names: frozenset[str], things: list[str]) -> _Steps:
    steps: _Steps = {}
    if found := introduced(target, Fresh(names)):
        all_of_them = f"intro {' '.join(found)}"
        steps[all_of_them] = 0.65
        if len(found) > 1:
            steps[f"intro {found[0]}"] = 0.45
        steps[f"{all_of_them}; simp_all"] = 0.6
        if (patterns := introduced(target, Fresh(names), apart=True)) != found:
            steps[f"rintro {' '.join(patterns)}"] = 0.55
    operator = outermost(target)
    if operator == "∃":
        variables, _ = binder_of(target)
        holes = "_, " * max(1, len(variables))
        steps |= {f"exact ⟨{holes}by assumption⟩": 0.7, f"exact ⟨{holes}rfl⟩": 0.8}
        if len(variables) == 1:
            steps |= {f"exact ⟨{thing}, by simp_all⟩": 0.6 for thing in things}
    fresh = _fresh(names)
    return steps | {text.format(**fresh): chance for text, chance in _FOR_TARGET.get(operator, {}).items()}


def _for_hypothesis(name: str, kind: str, shape: str, names: frozenset[str], target: str) -> _Steps:
    # What a choice takes apart is gone, and its name free again.
    apart = pattern(kind, Fresh(names - {name}), name) if shape == "∨" else pattern(kind, Fresh(names))
    found = _FOR_HYPOTHESIS.get(shape)
    if found is None:
        found = _CASES if name.startswith("h") else _INDUCTIVE  # induction seldom helps with facts, as `h` is called
    if shape == "¬" and target == "False":
        found = _APPLY
    fresh = _fresh(names)
    steps = {text.format(name, pattern=apart, **fresh): chance for text, chance in found.items()}
    if shape == "∃" and outermost(target) == "∃":
        variables, _ = binder_of(target)
        first = apart[1 : apart.index(",")]
        end = f"{first}, by simp_all" if len(variables) == 1 else "_, " * len(variables) + "by assumption"
        steps[f"obtain {apart} := {name}; exact ⟨{end}⟩"] = 0.6
    return steps


def _fresh(names: frozenset[str]) -> dict[str, str]:
    fresh = Fresh(names)
    return {wish: fresh.name(wish) for wish in ("x", "i", "h", "a", "b", "ih")}


def _shape(kind: str, names: frozenset[str], types: set[str]) -> str:
    """The operator or the constant by which a hypothesis suggests steps; empty for others."""
    *arguments, result = parts_at(kind, "→")
    if arguments and (result.strip() in types or _TYPE.match(result)):
        return ""  # the type of a function or a predicate is nothing to apply to a goal
    operator = outermost(kind)
    if operator in {"∀", "∃"} and not all(binder_of(kind)):
        return ""
    if operator in _FOR_HYPOTHESIS:
        return operator
    constant = _CONSTANT.match(kind.strip())
    return constant[1] if constant and constant[1] not in names | _NOT_INDUCTIVE else ""
