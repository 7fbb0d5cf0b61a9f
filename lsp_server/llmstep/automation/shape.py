"""What a goal looks like, as far as its text says: what can be introduced, and what its hypotheses are made of."""

from __future__ import annotations

import re
from typing import Final

import attrs

from llmstep.automation.goal_text import binder_of, entries_of, outermost, parts_at
from llmstep.automation.patterns import Fresh, introduced

_TELLING: Final = frozenset(("→", "↔", "∨", "∧", "=", "∀", "∃", "¬", "×", "⊕"))
"""Operators of hypotheses that suggest a step."""
_CONSTANT: Final = re.compile(r"\A([A-Zℕ][\w.']*)(?: |\Z)")
_TYPE: Final = re.compile(r"\s*(?:Prop|Type|Sort)\b")
_NUMBERS: Final = frozenset(("Nat", "Int", "Rat", "Real", "ℕ", "ℤ", "ℚ", "ℝ", "ℂ", "Bool"))
_NOT_INDUCTIVE: Final = frozenset(
    ("Prop", "Type", "Sort", "Set", "Real", "Rat", "Complex", "Int", "Float", "Char", "String", "Decidable")
)
"""Heads of types that are not taken apart."""
_MAX_HYPOTHESES: Final = 6
_MAX_THINGS: Final = 3


@attrs.frozen
class Hypothesis:
    """A hypothesis, as far as its text says."""

    name: str
    kind: str
    """Its type."""
    operator: str
    """Outermost operator of its type, or the constant which that applies, `List` for example; empty for others."""


@attrs.frozen
class Shape:
    """The outermost operators of a goal."""

    names: frozenset[str]
    """Names of all hypotheses, none of which is fresh."""
    target: str
    operator: str
    """Outermost operator of the target: one of `→ ↔ ∨ ∧ = ∀ ∃ ¬`, or its text where it has none."""
    hypotheses: tuple[Hypothesis, ...]
    """The last of those that a tactic can take apart or use."""
    things: tuple[str, ...]
    """The last of the local things of which something may be said to exist."""

    @classmethod
    def of(cls, goal: str) -> Shape:
        """The shape of a goal as Lean prints it."""
        entries, target = entries_of(goal)
        names = frozenset(name for name, _ in entries)
        types = {name for name, kind in entries if _TYPE.match(kind) and kind.strip() != "Prop"} | _NUMBERS
        found = [
            Hypothesis(name, kind, "" if _makes(kind, types) else _operator(kind, names)) for name, kind in entries
        ]
        telling = [each for each in found if each.operator]
        things = [name for name, kind in entries if kind.strip() in types]
        return cls(names, target, outermost(target), tuple(telling[-_MAX_HYPOTHESES:]), tuple(things[-_MAX_THINGS:]))

    def fresh(self) -> Fresh:
        """Hands out names that no hypothesis has."""
        return Fresh.beside(self.names)

    def introduced(self, *, apart: bool = False) -> list[str]:
        """See `introduced` of the patterns."""
        return introduced(self.target, self.fresh(), apart=apart)


def _operator(kind: str, names: frozenset[str]) -> str:
    operator = outermost(kind)
    if operator in _TELLING:
        return operator if operator not in {"∀", "∃"} or all(binder_of(kind)) else ""
    constant = _CONSTANT.match(kind.strip())
    return constant[1] if constant and constant[1] not in names | _NOT_INDUCTIVE else ""


def _makes(kind: str, types: set[str]) -> bool:
    """Whether this is the type of a function or a predicate, which is nothing to apply to a goal."""
    *arguments, result = parts_at(kind, "→")
    return bool(arguments) and (result.strip() in types or _TYPE.match(result) is not None)
