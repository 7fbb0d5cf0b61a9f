"""Theorems of propositional logic: textbook shapes over random parts, and random formulas that turn out provable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.formulas import FALSE, TRUE, Formula, atom
from starter.laws import propositional_laws
from starter.pools import PROPOSITIONS
from starter.prover import Prover
from starter.statements import Statement, move_to_goal

if TYPE_CHECKING:
    from random import Random

    from starter.script import Theorem


def formula(rng: Random, atoms: list[Formula], size: int) -> Formula:
    """A random formula with ``size`` connectives."""
    if size <= 0:
        return rng.choice(atoms) if rng.random() > 0.02 else rng.choice((TRUE, FALSE))
    kind = rng.choice(("and", "and", "or", "or", "imp", "imp", "imp", "not", "iff"))
    if kind == "not":
        return ("not", formula(rng, atoms, size - 1 if rng.random() < 0.4 else 0))
    left = rng.randrange(size)
    return (kind, formula(rng, atoms, left), formula(rng, atoms, size - 1 - left))


def draw(rng: Random) -> Theorem | None:
    """One theorem, or None where the draw was not provable."""
    statement, goal = stated(rng)
    prover = Prover(rng, classical=rng.random() < 0.25, limit=rng.choice((2.0, 3.4, 3.4)))
    return statement.theorem("propositional", goal, prover, rng.choice((4, 6, 7)))


def stated(rng: Random) -> tuple[Statement, Formula]:
    """A statement and its goal, which may or may not follow."""
    statement = Statement(rng)
    count = rng.choice((1, 2, 2, 3, 3, 3, 4, 4, 5))
    names = statement.namer.several(PROPOSITIONS, count)
    statement.declare(names, "Prop", rng.random() < 0.15)
    atoms = [atom(name) for name in names]
    shape = rng.random()
    parts = [formula(rng, atoms, rng.choice((0, 0, 0, 0, 1, 1, 2))) for _ in range(4)]
    if shape < 0.5:
        goal = _textbook(rng, statement, parts)
    elif shape < 0.75:
        goal = _forward(rng, statement, atoms)
    else:
        for _ in range(rng.choice((0, 0, 1, 2, 2, 3, 4))):
            statement.suppose(formula(rng, atoms, rng.choice((1, 1, 2, 2, 3))))
        goal = formula(rng, atoms, rng.choice((1, 2, 3, 4, 5)))
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3, 5)) if shape < 0.75 else 0):
        statement.suppose(formula(rng, atoms, rng.choice((0, 0, 1, 1, 2))))
    statement.shuffle()
    return statement, move_to_goal(statement, goal)


def _forward(rng: Random, statement: Statement, atoms: list[Formula]) -> Formula:
    """Facts and rules, and a goal that follows from them by going forwards."""
    known = list(rng.sample(atoms, rng.randrange(1, len(atoms) + 1)))
    for fact in known:
        if rng.random() < 0.8:
            statement.suppose(fact)
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        left, right = rng.choice(known), rng.choice(atoms)
        if rng.random() < 0.3:
            left = (rng.choice(("and", "or")), left, rng.choice(known))
        if rng.random() < 0.2:
            right = (rng.choice(("and", "or", "and")), right, rng.choice(atoms))
        if rng.random() < 0.12:
            right = ("not", right)
        statement.suppose(("iff" if rng.random() < 0.15 else "imp", left, right))
        known.append(right)
    goal = known[-1] if rng.random() < 0.6 else rng.choice(known)
    roll = rng.random()
    if roll < 0.25:
        return ("and", goal, rng.choice(known))
    if roll < 0.4:
        return ("or", *rng.sample((goal, rng.choice(atoms)), 2))
    return goal


def _textbook(rng: Random, statement: Statement, parts: list[Formula]) -> Formula:
    """A law of logic; half of the time its left side is a hypothesis instead of a premise."""
    left, right = rng.choice(propositional_laws(*parts))
    roll = rng.random()
    if roll < 0.15 and left[0] in ("and", "or") and right[0] in ("and", "or"):
        return ("iff", left, right)
    if roll < 0.45:
        return ("imp", left, right)
    while left[0] == "and" and rng.random() < 0.7:
        statement.suppose(left[1])
        left = left[2]
    statement.suppose(left)
    while right[0] == "imp" and rng.random() < 0.5:
        statement.suppose(right[1])
        right = right[2]
    return right
