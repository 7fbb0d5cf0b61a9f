"""Search for short proof terms: hypotheses, their projections and applications, and anonymous constructors."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from starter.formulas import (
    FALSE,
    Bindings,
    Formula,
    Term,
    has_hole,
    resolve,
    show_term,
    substitute,
    unify,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Proof: TypeAlias = tuple[Any, ...]
"""``("h", name)``, ``("arg", term)``, ``("app", f, x)``, ``("proj", p, field)``, ``("pair", a, b)``, or
``("con", head, a)``."""

_holes = count()


class Spine(NamedTuple):
    """One way to use a hypothesis: its proof with open premises, and what it then proves."""

    head: str
    steps: tuple[tuple[str, Any], ...]  # ("proj", "1"), ("arg", hole), ("premise", formula)
    premises: tuple[Formula, ...]
    conclusion: Formula


def spines(name: str, formula: Formula) -> list[Spine]:
    """All uses of a hypothesis, the shortest first."""
    found: list[Spine] = []
    todo = [Spine(name, (), (), formula)]
    while todo:
        spine = todo.pop(0)
        found.append(spine)
        kind, fact = spine.conclusion[0], spine.conclusion
        if len(spine.steps) >= 6:
            continue
        if kind == "and":
            todo += [spine._replace(steps=(*spine.steps, ("proj", str(i))), conclusion=fact[i]) for i in (1, 2)]
        elif kind == "iff":
            for field, a, b in (("mp", fact[1], fact[2]), ("mpr", fact[2], fact[1])):
                steps = (*spine.steps, ("proj", field), ("premise", a))
                todo.append(spine._replace(steps=steps, premises=(*spine.premises, a), conclusion=b))
        elif kind in ("imp", "not", "ne"):
            premise = ("eq", fact[1], fact[2]) if kind == "ne" else fact[1]
            result = fact[2] if kind == "imp" else FALSE
            steps = (*spine.steps, ("premise", premise))
            todo.append(spine._replace(steps=steps, premises=(*spine.premises, premise), conclusion=result))
        elif kind == "all":
            hole: Term = ("m", next(_holes))
            steps = (*spine.steps, ("arg", hole))
            body = substitute(fact[3], fact[1], hole)
            todo.append(spine._replace(steps=steps, conclusion=body))
    return found


def freshen(spine: Spine) -> Spine:
    """The spine with new holes, so that one hypothesis can be used twice."""
    rename: Bindings = {step[1][1]: ("m", next(_holes)) for step in spine.steps if step[0] == "arg"}
    if not rename:
        return spine
    return Spine(
        spine.head,
        tuple((k, resolve(v, rename) if k != "proj" else v) for k, v in spine.steps),
        tuple(resolve(p, rename) for p in spine.premises),
        resolve(spine.conclusion, rename),
    )


class TermSearch:
    """Bounded search in one context; ``limit`` on the cost keeps the terms short enough to be read."""

    def __init__(self, hypotheses: list[tuple[str, Formula]], budget: int = 400) -> None:
        self.spines = [spine for name, formula in hypotheses for spine in spines(name, formula)]
        self.budget = budget

    def find(self, goal: Formula, limit: float) -> tuple[str, float] | None:
        """The cheapest proof of ``goal`` as Lean text with its cost, or None."""
        bound = 1.0
        while bound <= limit + 0.01:
            self.left = self.budget
            for proof, bindings, cost in self._solve(goal, {}, bound):
                if not has_hole(resolve(proof, bindings)):
                    return show_proof(resolve(proof, bindings)), cost
            bound += 0.5
        return None

    def _solve(self, goal: Formula, bindings: Bindings, limit: float) -> Iterator[tuple[Proof, Bindings, float]]:
        self.left -= 1
        if limit < 0 or self.left < 0:
            return
        goal = resolve(goal, bindings)
        kind = goal[0]
        if kind == "T":
            yield ("h", "trivial"), bindings, 0.3
        elif kind == "eq":
            found = unify(goal[1], goal[2], bindings)
            if found is not None:
                yield ("h", "rfl"), found, 0.5
        for pattern in self.spines:
            cost = 1 + 0.3 * (len(pattern.steps) - len(pattern.premises))
            if cost + len(pattern.premises) * 0.3 > limit or not _may_match(pattern.conclusion, goal):
                continue
            spine = freshen(pattern)
            found = unify(spine.conclusion, goal, bindings)
            if found is not None:
                yield from self.premises(spine, 0, ("h", spine.head), found, limit - cost, cost)
        if kind in ("eq", "ne", "iff"):
            flipped = (kind, goal[2], goal[1])
            for pattern in self.spines:
                if pattern.conclusion[0] == kind and not pattern.premises and limit >= 1.3:
                    spine = freshen(pattern)
                    found = unify(spine.conclusion, flipped, bindings)
                    if found is not None:
                        cost = 1.3 + 0.3 * len(spine.steps)
                        for proof, b, c in self.premises(spine, 0, ("h", spine.head), found, limit - cost, cost):
                            yield ("proj", proof, "symm"), b, c
        if kind == "and" and limit >= 1:
            for left, b, c in self._solve(goal[1], bindings, limit):
                for right, b2, c2 in self._solve(goal[2], b, limit - c):
                    yield ("pair", left, right), b2, c + c2
        elif kind == "or" and limit >= 0.6:
            for side, head in ((1, "Or.inl"), (2, "Or.inr")):
                for proof, b, c in self._solve(goal[side], bindings, limit - 0.5):
                    yield ("con", head, proof), b, c + 0.5
        elif kind == "ex" and limit >= 0.8:
            hole: Term = ("m", next(_holes))
            body = substitute(goal[3], goal[1], hole)
            for proof, b, c in self._solve(body, bindings, limit - 0.5):
                yield ("pair", ("arg", hole), proof), b, c + 0.5
        elif kind in ("eq", "iff") and limit >= 2.3:
            yield from self._transitive(goal, bindings, limit)

    def _transitive(self, goal: Formula, bindings: Bindings, limit: float) -> Iterator[tuple[Proof, Bindings, float]]:
        if (
            goal[0] == "eq"
            and goal[1][0] == "f"
            and goal[2][0] == "f"
            and len(goal[1][2]) == 1
            and len(goal[2][2]) == 1
        ):
            (a,), (b,) = goal[1][2], goal[2][2]
            if goal[1][1] == goal[2][1] and a != b:
                for proof, inner, c in self._solve(("eq", a, b), bindings, limit - 1):
                    yield ("app", ("app", ("h", "congrArg"), ("arg", ("v", goal[1][1]))), proof), inner, c + 1
        for pattern in self.spines:
            if pattern.conclusion[0] != goal[0] or pattern.premises:
                continue
            for symmetric in (False, True):
                spine = freshen(pattern)
                _, a, b = spine.conclusion
                a, b = (b, a) if symmetric else (a, b)
                found = unify(a, goal[1], bindings)
                cost = 1.3 + 0.3 * len(spine.steps) + 0.4 * symmetric
                if found is None or resolve(b, found) == goal[1]:
                    continue
                rest = (goal[0], resolve(b, found), goal[2])
                for first, f2, c in self.premises(spine, 0, ("h", spine.head), found, limit - cost, cost):
                    if symmetric:
                        first = ("proj", first, "symm")
                    for second, f3, c2 in self._solve(rest, f2, limit - c):
                        if second not in (("h", "rfl"), first):
                            yield ("app", ("proj", first, "trans"), second), f3, c + c2

    def premises(
        self, spine: Spine, at: int, proof: Proof, bindings: Bindings, limit: float, cost: float
    ) -> Iterator[tuple[Proof, Bindings, float]]:
        if at == len(spine.steps):
            yield proof, bindings, cost
            return
        kind, value = spine.steps[at]
        if kind == "proj":
            yield from self.premises(spine, at + 1, ("proj", proof, value), bindings, limit, cost)
        elif kind == "arg":
            yield from self.premises(spine, at + 1, ("app", proof, ("arg", value)), bindings, limit, cost)
        else:
            for premise, found, c in self._solve(value, bindings, limit):
                yield from self.premises(spine, at + 1, ("app", proof, premise), found, limit - c, cost + c)


def _may_match(pattern: Formula, goal: Formula) -> bool:
    return bool(pattern[0] == goal[0] and (pattern[0] != "at" or pattern[1] == goal[1]))


def show_proof(proof: Proof, tight: bool = False) -> str:
    """Lean text of a proof term; nested pairs on the right are flattened as people write them."""
    kind = proof[0]
    if kind == "h":
        return str(proof[1])
    if kind == "arg":
        return show_term(proof[1], True)
    if kind == "proj":
        return f"{show_proof(proof[1], True)}.{proof[2]}"
    if kind == "pair":
        parts, rest = [proof[1]], proof[2]
        while rest[0] == "pair":
            parts.append(rest[1])
            rest = rest[2]
        return "⟨" + ", ".join(show_proof(p) for p in (*parts, rest)) + "⟩"
    text = (
        f"{show_proof(proof[1])} {show_proof(proof[2], True)}"
        if kind == "app"
        else f"{proof[1]} {show_proof(proof[2], True)}"
    )
    return f"({text})" if tight else text
