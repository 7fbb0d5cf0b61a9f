"""Goals that are easy once the right facts are picked: a rule at one of several things, a constant beside facts."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from starter.basics import computed, constants
from starter.formulas import Formula, atom
from starter.prover import Prover
from starter.statements import Statement, move_to_goal

if TYPE_CHECKING:
    from random import Random

    from starter.script import Theorem

_TRIES = 6


def draw(rng: Random) -> Theorem | None:
    """One theorem, or None where no goal that was tried followed."""
    for _ in range(_TRIES):
        theorem = _constant(rng) if rng.random() < 0.2 else _rule(rng)
        if theorem is not None:
            return theorem
    return None


def _constant(rng: Random) -> Theorem | None:
    """`True ∧ True` or `1 + 1 = 2` beside hypotheses that have nothing to do with it, or with one that has."""
    statement = Statement(rng)
    names = list("pqrs"[: rng.choice((1, 2, 2, 3))])
    statement.declare(names, "Prop")
    statement.namer.used.update(names)
    letters = [atom(name) for name in names]
    for _ in range(rng.choice((1, 1, 2, 3))):
        left, right = rng.choices(letters, k=2)
        statement.suppose(rng.choice((left, left, ("and", left, right), ("or", left, right), ("imp", left, right))))
    if rng.random() < 0.3:
        sentence, proof = computed(rng)
        return statement.with_proof("selecting", sentence, proof)
    goal = constants(rng, rng.choice((0, 0, 1, 1, 2)))
    if rng.random() < 0.4:
        sides = [goal, rng.choice(letters)]
        rng.shuffle(sides)
        goal = (rng.choice(("and", "and", "or", "iff")), *sides)
    return statement.theorem("selecting", goal, Prover(rng, limit=3.4), 5)


def _rule(rng: Random) -> Theorem | None:
    """Rules for all things and facts about some of them, in any order; the goal is about one, or says that there is."""
    statement = Statement(rng)
    statement.declare(["α"], "Type")
    predicates = list("PQRS"[: rng.choice((2, 2, 3, 3, 4))])
    statement.groups.append((predicates, "α → Prop", False))
    things = list("abc"[: rng.choice((1, 2, 2, 3))])
    statement.declare(things, "α")
    statement.namer.used.update(("α", *predicates, *things))
    chain = rng.sample(predicates, min(len(predicates), rng.choice((2, 2, 2, 3))))
    thing = ("v", rng.choice(things))
    rules: list[Formula] = [
        ("all", "x", "α", ("imp", atom(first, ("v", "x")), atom(second, ("v", "x"))))
        for first, second in pairwise(chain)
    ]
    facts = [atom(chain[0], thing)]
    if rng.random() < 0.15:
        facts = [("ex", "x", "α", atom(chain[0], ("v", "x")))]
    goal = atom(chain[-1], thing)
    if rng.random() < 0.2:
        goal = ("ex", "x", "α", atom(chain[-1], ("v", "x")))
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3))):
        other = atom(rng.choice(predicates), ("v", rng.choice(things)))
        if other != goal:
            facts.append(other)
    statement.namer.used.add("x")
    for fact in [*rules, *facts]:
        statement.suppose(fact)
    rng.shuffle(statement.hypotheses)
    goal = move_to_goal(statement, goal) if rng.random() < 0.15 else goal
    return statement.theorem("selecting", goal, Prover(rng, limit=rng.choice((3.4, 4.4))), 6)
