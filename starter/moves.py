"""What the prover tries when no single tactic closes the goal, in its order of preference."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import TYPE_CHECKING, TypeAlias

from starter.formulas import (
    FALSE,
    Bindings,
    Formula,
    has_hole,
    resolve,
    show,
    substitute,
    unify,
)
from starter.names import rule_name
from starter.proof import Context, Step, mentions
from starter.rewriting import rewrite
from starter.terms import Proof, Spine, TermSearch, freshen, show_proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starter.prover import Prover

Move: TypeAlias = "Callable[[Prover, Context, Formula, int, TermSearch], Step | None]"
"""Prover, context, goal, most tactics in a row, search for short terms: the proof, or None."""


def _destruct(prover: Prover, context: Context, goal: Formula, depth: int, search: TermSearch) -> Step | None:
    """``obtain`` and ``rcases`` on a hypothesis, if what comes out of it is used."""
    for kinds in (("and", "ex"), ("or",)):
        for name, formula in context.hypotheses:
            if formula[0] not in kinds or name in context.idle:
                continue
            context = changed(context, idle=context.idle | {name})
            found = _take_apart(prover, context.drop(name), name, formula, goal, depth)
            if found is not None:
                return found
    return None


def _take_apart(
    prover: Prover, context: Context, term: str, formula: Formula, goal: Formula, depth: int
) -> Step | None:
    if formula[0] == "or":
        patterns, children = [], []
        for side in formula[1:]:
            inner, pattern = prover.pattern(context, side, 0 if prover.rng.random() < 0.3 else 2)
            child = prover.prove(inner, goal, depth - 1)
            if child is None or not mentions(child, inner.taken - context.taken):
                return None
            patterns.append(pattern)
            children.append(child)
        return Step(f"rcases {term} with {' | '.join(patterns)}", tuple(children))
    inner, pattern = prover.pattern(context, formula)
    child = prover.prove(inner, goal, depth - 1)
    if child is None or not mentions(child, inner.taken - context.taken):
        return None
    return Step(f"obtain {pattern} := {term}", (child,))


def _split(prover: Prover, context: Context, goal: Formula, depth: int, search: TermSearch) -> Step | None:
    if goal[0] == "iff":
        sides: tuple[Formula, ...] = (("imp", goal[1], goal[2]), ("imp", goal[2], goal[1]))
    elif goal[0] == "and":
        sides = goal[1:]
    else:
        return None
    children = []
    for side in sides:
        child = prover.prove(context, side, depth - 1)
        if child is None:
            return None
        children.append(child)
    return Step("constructor", tuple(children))


def _choose(prover: Prover, context: Context, goal: Formula, depth: int, search: TermSearch) -> Step | None:
    if goal[0] != "or":
        return None
    for side, tactic in ((1, "left"), (2, "right")):
        child = prover.prove(context, goal[side], depth - 1)
        if child is not None:
            return Step(tactic, (child,))
    return None


def _apply(prover: Prover, context: Context, goal: Formula, depth: int, search: TermSearch) -> Step | None:
    """``apply h`` backwards from the goal, where the goal fixes all arguments."""
    for pattern in search.spines:
        if not pattern.premises or pattern.steps[-1][0] != "premise":
            continue
        if any(kind == "proj" for kind, _ in pattern.steps[_leading(pattern) :]):
            continue
        spine = freshen(pattern)
        found = unify(spine.conclusion, goal, {})
        if found is None:
            continue
        premises = [resolve(p, found) for p in spine.premises]
        if any(has_hole(p) or p == goal for p in premises):
            continue
        inner = changed(context, idle=context.idle | {spine.head})
        children = []
        for premise in premises:
            child = prover.prove(inner if goal == FALSE else context, premise, min(depth - 1, 4))
            if child is None:
                break
            children.append(child)
        else:
            head = spine.head + "".join(f".{v}" for k, v in spine.steps[: _leading(spine)] if k == "proj")
            return Step(f"apply {head}", tuple(children))
    return None


def _forward(prover: Prover, context: Context, goal: Formula, depth: int, search: TermSearch) -> Step | None:
    """Takes apart, or notes down, what follows from a hypothesis applied to things at hand."""
    facts = {formula for _, formula in context.hypotheses}
    for pattern in search.spines:
        if not any(kind != "proj" for kind, _ in pattern.steps) or pattern.conclusion[0] not in (
            "ex",
            "or",
            "and",
            "at",
            "F",
        ):
            continue
        if pattern.conclusion[0] == "at" and depth < 4:
            continue
        spine = freshen(pattern)
        for proof, bindings, _ in _search_premises(search, spine, 2.4):
            fact = resolve(spine.conclusion, bindings)
            key = show_proof(resolve(proof, bindings))
            if has_hole(resolve(proof, bindings)) or fact in facts or key in context.idle:
                continue
            context = changed(context, idle=context.idle | {key})
            if fact[0] == "at":
                inner, (name,) = prover.names(context, fact)
                child = prover.prove(inner, goal, depth - 1)
                found = Step(f"have {name} := {key}", (child,)) if child and mentions(child, {name}) else None
            elif fact == FALSE:
                found = Step(f"exact ({key}).elim") if goal != FALSE else None
            else:
                found = _take_apart(prover, context, key, fact, goal, depth)
            if found is not None:
                return found
            break
    return None


def _witness(prover: Prover, context: Context, goal: Formula, depth: int, search: TermSearch) -> Step | None:
    if goal[0] != "ex":
        return None
    for name, kind in reversed(context.variables):
        if kind == goal[2]:
            child = prover.prove(context, substitute(goal[3], goal[1], ("v", name)), min(depth - 1, 3))
            if child is not None:
                return Step(f"refine ⟨{name}, ?_⟩", (child,))
    return None


def _exfalso(prover: Prover, context: Context, goal: Formula, depth: int, search: TermSearch) -> Step | None:
    if goal == FALSE or not any(s.conclusion == FALSE for s in search.spines):
        return None
    found = TermSearch(list(context.hypotheses)).find(FALSE, 3.0)
    if found is not None:
        return Step(f"exact ({found[0]}).elim")
    child = prover.prove(context, FALSE, min(depth - 1, 3))
    return Step("exfalso", (child,)) if child else None


def _by_cases(prover: Prover, context: Context, goal: Formula, depth: int, search: TermSearch) -> Step | None:
    if not prover.classical or depth < 3:
        return None
    candidates = [goal] if goal[0] == "at" else []
    candidates += [f[1] for _, f in context.hypotheses if f[0] == "imp" and f[1][0] == "at"]
    candidates += [g[1] for g in goal[1:] if isinstance(g, tuple) and g and g[0] == "not"]
    for fact in candidates:
        facts = {formula for _, formula in context.hypotheses}
        if fact in facts or ("not", fact) in facts or fact[0] != "at":
            continue
        name = rule_name(fact, context.taken)
        children = []
        for case in (fact, ("not", fact)):
            child = prover.prove(context.add(name, case), goal, depth - 1)
            if child is None or not mentions(child, {name}):
                break
            children.append(child)
        else:
            return Step(f"by_cases {name} : {show(fact)}", tuple(children))
    return None


def _search_premises(search: TermSearch, spine: Spine, limit: float) -> Iterator[tuple[Proof, Bindings, float]]:
    """Proofs of the spine's open premises by short terms."""
    search.left = search.budget
    return search.premises(spine, 0, ("h", spine.head), {}, limit, 0.0)


def _leading(spine: Spine) -> int:
    """How many projections stand before the first argument or premise."""
    for number, (kind, _) in enumerate(spine.steps):
        if kind != "proj":
            return number
    return len(spine.steps)


MOVES: tuple[Move, ...] = (
    _destruct,
    _split,
    rewrite,
    _forward,
    _choose,
    _apply,
    _witness,
    _exfalso,
    _by_cases,
)
