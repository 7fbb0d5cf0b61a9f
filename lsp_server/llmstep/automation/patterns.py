"""Names for what a step brings in: fresh ones, and `rcases` patterns that take a type apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from llmstep.automation.goal_text import binder_of, outermost, parts_at, premise_of, without_brackets

_SUBSCRIPTS: Final = "₁₂₃₄₅₆₇₈₉"
_DEEP: Final = 3
"""So far a pattern goes into a type."""
_MAX: Final = 8
"""Most premises and groups of variables that are introduced at once."""


class Fresh:
    """Hands out names that are not taken, each once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)

    def name(self, wish: str) -> str:
        """The wish, or the first of it with a number that is free."""
        numbered = (f"{wish}_{number}" for number in range(1, len(self.taken) + 2))
        candidates = (wish, *(wish + subscript for subscript in _SUBSCRIPTS), *numbered)
        found = next(each for each in candidates if each not in self.taken)
        self.taken.add(found)
        return found


def introduced(target: str, fresh: Fresh, *, apart: bool = False) -> list[str]:
    """Names for the variables and premises in front of a conclusion.

    Args:
        apart: Give the premises' patterns instead, as `rintro` reads them.
    """
    found: list[str] = []
    for _ in range(_MAX):
        premise = premise_of(target)
        if premise is None:
            break
        names, kind, target = premise
        found += map(fresh.name, names)
        if kind:
            found.append(_in_place(kind, fresh, _DEEP) if apart else fresh.name("h"))
    return found


def pattern(kind: str, fresh: Fresh, wish: str = "h", deep: int = _DEEP) -> str:
    """An `rcases` pattern for something of this type: `⟨x, h, h₁⟩` for `∃ x, p x ∧ q`, `h | h` for `p ∨ q`.

    Args:
        wish: Name where there is nothing to take apart.
    """
    kind = without_brackets(kind)
    if outermost(kind) == "∨" and deep:
        # The sides become goals of their own, so that each may use the same names.
        sides = [(side, Fresh(fresh.taken)) for side in parts_at(kind, "∨")]
        patterns = [pattern(side, names, wish, deep - 1) for side, names in sides]
        fresh.taken.update(*(names.taken for _, names in sides))
        return " | ".join(patterns)
    parts = _parts(kind, fresh, deep)
    return f"⟨{', '.join(parts)}⟩" if parts else fresh.name(wish)


def _in_place(kind: str, fresh: Fresh, deep: int) -> str:
    """The pattern, with parentheses where it is a choice."""
    text = pattern(kind, fresh, deep=deep)
    return f"({text})" if outermost(without_brackets(kind)) == "∨" and deep else text


def _parts(kind: str, fresh: Fresh, deep: int) -> list[str]:
    """The patterns in the brackets of one for a conjunction or an existence; none for other types."""
    operator = outermost(kind)
    if operator not in {"∧", "∃"} or not deep:
        return []
    if operator == "∧":
        *sides, last = parts_at(kind, "∧")
        found = [_in_place(side, fresh, deep - 1) for side in sides]
    else:
        names, last = binder_of(kind)
        found = [fresh.name(name) for name in names]
    last = without_brackets(last)
    return [*found, *(_parts(last, fresh, deep) or [_in_place(last, fresh, deep - 1)])]
