"""Facts that a goal's own text suggests on the way to it: what a premise gives once its own premise is proved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmstep.automation.goal_text import entries_of, parts_at

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX: Final = 6


def facts_of(goal: str) -> list[str]:
    """Facts as `have h : T`, the likeliest first.

    Conclusions of the hypotheses that are implications, both sides of a target that is a conjunction, and the premises
    that an implication with the target as its conclusion needs.
    """
    hypotheses, target = entries_of(goal)
    return list(dict.fromkeys(f"have : {fact}" for fact in _facts(hypotheses, target)))[:_MAX]


def _facts(hypotheses: list[tuple[str, str]], target: str) -> Iterator[str]:
    known = {kind for _, kind in hypotheses}
    implications = [parts for _, kind in hypotheses if len(parts := parts_at(kind, "→")) > 1]
    for *premises, conclusion in implications:
        if conclusion.strip() == target:
            yield from (premise.strip() for premise in premises if premise.strip() not in known)
    for *_, conclusion in implications:
        if conclusion.strip() not in known and conclusion.strip() != target:
            yield conclusion.strip()
    if len(sides := parts_at(target, "∧")) > 1:
        yield from (side.strip() for side in sides)
    for _, kind in hypotheses:
        if len(sides := parts_at(kind, "∨")) > 1:
            yield " ∨ ".join(side.strip() for side in reversed(sides))
