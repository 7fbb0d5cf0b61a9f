"""Short goals over letters: which of the facts is wanted, which side of one, and which thing a rule is applied to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.formulas import Formula, Term, atom
from starter.prover import Prover
from starter.statements import Statement, move_to_goal

if TYPE_CHECKING:
    from random import Random

    from starter.script import Theorem

_TRIES = 8
"""Goals that are tried for the same facts until one of them follows."""


def draw(rng: Random) -> Theorem | None:
    """One theorem, or None where no goal that was tried followed."""
    for _ in range(_TRIES):
        statement, goal = stated(rng)
        theorem = statement.theorem("short", goal, Prover(rng, limit=rng.choice((2.0, 3.4, 3.4))), 5)
        if theorem is not None:
            return theorem
    return None


def stated(rng: Random) -> tuple[Statement, Formula]:
    """A statement and its goal, which may or may not follow."""
    statement = Statement(rng)
    facts, goal = (_of_propositions if rng.random() < 0.55 else _of_predicates)(statement)
    for fact in facts:
        statement.suppose(fact)
    statement.shuffle()
    return statement, move_to_goal(statement, goal) if rng.random() < 0.3 else goal


def _of_propositions(statement: Statement) -> tuple[list[Formula], Formula]:
    rng = statement.rng
    names = list("pqrst"[: rng.choice((2, 2, 3, 3, 4))])
    statement.declare(names, "Prop")
    statement.namer.used.update(names)
    letters = [atom(name) for name in names]
    if rng.random() < 0.5:
        return _side(rng, letters)
    facts = [_fact(rng, letters) for _ in range(rng.choice((1, 1, 2, 2, 3, 4)))]
    return facts, _wanted(rng, letters)


def _side(rng: Random, letters: list[Formula]) -> tuple[list[Formula], Formula]:
    """A conjunction, seldom with other facts beside it, and one of its sides or two of them in any order."""
    chosen = rng.sample(letters, min(len(letters), rng.choice((2, 2, 3))))
    fact: Formula = ("and", chosen[0], chosen[1])
    if len(chosen) == 3:
        fact = rng.choice((("and", chosen[0], ("and", *chosen[1:])), ("and", fact, chosen[2])))
    others = [_fact(rng, letters) for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))]
    first, second = rng.sample(chosen, 2)
    return [fact, *others], rng.choice((first, first, ("and", first, second)))


def _of_predicates(statement: Statement) -> tuple[list[Formula], Formula]:
    rng = statement.rng
    statement.declare(["α"], "Type")
    predicates = list("PQR"[: rng.choice((1, 2, 2, 3))])
    statement.groups.append((predicates, "α → Prop", False))
    things = list("ab"[: rng.choice((1, 1, 2))])
    statement.declare(things, "α")
    statement.namer.used.update(("α", *predicates, *things))

    def about(thing: Term) -> list[Formula]:
        return [atom(name, thing) for name in predicates]

    here = [fact for name in things for fact in about(("v", name))]
    general = about(("v", "x"))
    if len(here) > 1 and rng.random() < 0.25:
        return _side(rng, here)
    facts: list[Formula] = []
    for _ in range(rng.choice((1, 2, 2, 3))):
        roll = rng.random()
        if roll < 0.45:
            facts.append(("all", "x", "α", _rule(rng, general)))
        elif roll < 0.6:
            facts.append(("ex", "x", "α", _wanted(rng, general)))
        else:
            facts.append(_fact(rng, here))
    if rng.random() < 0.3:
        kind = "ex" if rng.random() < 0.6 else "all"
        return facts, (kind, "x", "α", _wanted(rng, general))
    return facts, _wanted(rng, here)


def _rule(rng: Random, general: list[Formula]) -> Formula:
    roll = rng.random()
    left, right = _two(rng, general)
    if roll < 0.6:
        return ("imp", left, right)
    return left if roll < 0.7 else (rng.choice(("and", "and", "iff", "or")), left, right)


def _fact(rng: Random, letters: list[Formula]) -> Formula:
    """An atom, a conjunction most of the time, or another formula of one or two connectives."""
    roll = rng.random()
    left, right = _two(rng, letters)
    if roll < 0.25:
        return left
    if roll < 0.6:
        third = rng.choice(letters)
        shapes = (("and", left, right), ("and", left, ("and", right, third)), ("and", ("and", left, right), third))
        return rng.choice((shapes[0], shapes[0], *shapes))
    if roll < 0.85:
        return (rng.choice(("imp", "imp", "or", "iff")), left, right)
    return ("not", left)


def _wanted(rng: Random, letters: list[Formula]) -> Formula:
    roll = rng.random()
    left, right = _two(rng, letters)
    if roll < 0.5:
        return left
    if roll < 0.8:
        return ("and", left, right)
    return (rng.choice(("or", "or", "iff")), left, right)


def _two(rng: Random, letters: list[Formula]) -> list[Formula]:
    """Two of them, seldom the same one twice."""
    return rng.sample(letters, 2) if len(letters) > 1 and rng.random() < 0.85 else rng.choices(letters, k=2)
