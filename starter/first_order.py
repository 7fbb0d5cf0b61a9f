"""Theorems about types, predicates and relations: rules, facts, and quantifiers moved about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.prover import Prover
from starter.quantifier_laws import quantifier_law
from starter.statements import Statement, move_to_goal
from starter.vocabulary import Vocabulary, generalise, put

if TYPE_CHECKING:
    from random import Random

    from starter.formulas import Formula
    from starter.script import Theorem


def draw(rng: Random) -> Theorem | None:
    """One theorem, or None where the draw was not provable."""
    statement, goal = stated(rng)
    prover = Prover(rng, classical=rng.random() < 0.1, limit=rng.choice((2.6, 3.4, 4.0)))
    return statement.theorem("quantifier", goal, prover, rng.choice((5, 7, 8)))


def stated(rng: Random) -> tuple[Statement, Formula]:
    """A statement and its goal, which may or may not follow."""
    statement = Statement(rng)
    words = Vocabulary(statement)
    goal = (
        quantifier_law(statement, words)
        if rng.random() < 0.55 or not words.constants
        else _rules(rng, statement, words)
    )
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3))):
        x = words.var(0)
        noise = ("all", x, words.type, ("imp", words.fact([x]), words.fact([x])))
        statement.suppose(words.part([]) if words.constants and rng.random() < 0.6 else noise)
    statement.shuffle()
    return statement, move_to_goal(statement, goal)


def _rules(rng: Random, statement: Statement, words: Vocabulary) -> Formula:
    """Facts about constants, rules for all, and a goal that follows."""
    facts = [words.fact([]) for _ in range(rng.choice((1, 2, 2, 3)))]
    for fact in facts:
        statement.suppose(fact)
    known = list(facts)
    for number in range(rng.choice((1, 1, 2, 2, 3))):
        source = rng.choice(known)
        if source[0] != "at":
            continue
        x = words.var(number % 3)
        value = source[2][-1]
        general = generalise(source, value, x)
        target = words.fact([x])
        roll = rng.random()
        if roll < 0.15 and len(known) > 1:
            other = generalise(rng.choice(known), value, x)
            body = (
                ("imp", general, ("imp", other, target))
                if rng.random() < 0.5
                else ("imp", ("and", general, other), target)
            )
        elif roll < 0.3:
            body = ("iff", general, target) if rng.random() < 0.5 else ("iff", target, general)
        elif roll < 0.4:
            target = ("ex", words.var(3), words.type, words.fact([x, words.var(3)]))
            body = ("imp", general, target)
        elif roll < 0.5:
            target = ("not", target)
            body = ("imp", general, target)
        else:
            body = ("imp", general, target)
        statement.suppose(("all", x, words.type, body))
        known.append(put(target, x, value))
    goal = known[-1] if rng.random() < 0.7 else rng.choice(known)
    roll = rng.random()
    if roll < 0.2:
        return ("and", goal, rng.choice(known))
    if roll < 0.3:
        return ("or", *rng.sample((goal, words.fact([])), 2))
    if roll < 0.55 and goal[0] == "at":
        x = words.var(rng.randrange(4))
        general = generalise(goal, goal[2][0], x)
        other = rng.choice(known)
        if other[0] == "at" and rng.random() < 0.4:
            general = ("and", general, generalise(other, goal[2][0], x))
        return ("ex", x, words.type, general)
    if roll < 0.6:
        return ("not", ("not", goal))
    return goal
