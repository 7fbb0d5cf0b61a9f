"""What ``rw`` does to a goal, and when the prover tries it."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import TYPE_CHECKING

from starter.formulas import (
    Formula,
    Term,
    has_hole,
    replace,
    resolve,
    substitute,
    subterms,
    unify,
)
from starter.proof import Context, Step

if TYPE_CHECKING:
    from starter.prover import Prover
    from starter.terms import TermSearch


def rewrite(prover: Prover, context: Context, goal: Formula, depth: int, search: TermSearch) -> Step | None:
    """``rw`` with an equation of the context, forwards before backwards; closes what becomes ``t = t``."""
    if goal[0] not in ("eq", "at", "and", "ne") or context.rewrites >= 3:
        return None
    inside = list(subterms(goal))
    for name, formula in context.hypotheses:
        for backwards in (False, True):
            new = _rewritten(formula, goal, inside, backwards)
            if new is None or f"rw {new}" in context.idle:
                continue
            if (
                formula[0] == "eq"
                and formula[1 + (not backwards)] in inside
                and goal[0] == "eq"
                and prover.rng.random() < 0.5
            ):
                continue
            tactic = f"rw [{'← ' if backwards else ''}{name}]"
            context = changed(context, idle=context.idle | {f"rw {new}", f"rw {goal}"})
            if new[0] == "eq" and new[1] == new[2]:
                return Step(tactic)
            child = prover.prove(changed(context, rewrites=context.rewrites + 1), new, min(depth - 1, 3))
            if child is not None:
                return Step(tactic, (child,))
    return None


def _rewritten(equation: Formula, goal: Formula, inside: list[Term], backwards: bool) -> Formula | None:
    """The goal after ``rw`` with the equation (perhaps under one or two ∀), or None where it does not apply."""
    holes = 0
    while equation[0] == "all":
        equation = substitute(equation[3], equation[1], ("m", -1 - holes))
        holes += 1
    if equation[0] != "eq":
        return None
    old, new = (equation[2], equation[1]) if backwards else (equation[1], equation[2])
    if old[0] == "m":
        return None
    for term in inside:
        found = unify(old, term, {})
        if found is not None:
            target = resolve(new, found)
            result: Formula = replace(goal, term, target)
            return None if has_hole(target) or result == goal else result
    return None
