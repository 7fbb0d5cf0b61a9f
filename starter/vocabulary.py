"""A type with predicates, relations, functions and constants, and random facts about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.formulas import Formula, Term, atom, replace, substitute
from starter.pools import FUNCTIONS, PREDICATES, RELATIONS, TYPES, VARIABLES

if TYPE_CHECKING:
    from starter.statements import Statement


class Vocabulary:
    """A type with constants, predicates, relations and functions of one statement."""

    def __init__(self, statement: Statement) -> None:
        rng, namer = statement.rng, statement.namer
        self.rng = rng
        if rng.random() < 0.15:
            self.type = "Nat"
        else:
            self.type = namer.take(TYPES)
            kind = rng.choice(("Type", "Type", "Type", "Type _", "Sort _", "Type 1"))
            statement.groups.append(([self.type], kind, rng.random() < 0.35))
        self.predicates = namer.several(PREDICATES, rng.choice((1, 2, 2, 3)))
        statement.groups.append((self.predicates, f"{self.type} → Prop", rng.random() < 0.1))
        self.relations = [namer.take(RELATIONS)] if rng.random() < 0.35 else []
        if self.relations:
            statement.groups.append((self.relations, f"{self.type} → {self.type} → Prop", False))
        self.functions = [namer.take(FUNCTIONS)] if rng.random() < 0.2 else []
        if self.functions:
            statement.groups.append((self.functions, f"{self.type} → {self.type}", False))
        self.bound = list(namer.several(VARIABLES, 4))
        namer.used -= set(self.bound)
        count = rng.choice((0, 1, 1, 2, 2, 3))
        self.constants = [n for n in namer.several(VARIABLES, count) if n not in self.bound] if count else []
        if self.constants:
            statement.declare(self.constants, self.type, rng.random() < 0.1)

    def var(self, number: int) -> str:
        return self.bound[number]

    def term(self, scope: list[str]) -> Term:
        names = [*scope, *scope, *self.constants] if scope else self.constants
        inner: Term = ("v", self.rng.choice(names))
        if self.functions and self.rng.random() < 0.25:
            return ("f", self.functions[0], (inner,))
        return inner

    def fact(self, scope: list[str]) -> Formula:
        """An atom over the variables in scope, or the constants."""
        if self.relations and self.rng.random() < 0.35:
            return atom(self.relations[0], self.term(scope), self.term(scope))
        return atom(self.rng.choice(self.predicates), self.term(scope))

    def part(self, scope: list[str]) -> Formula:
        roll = self.rng.random()
        if roll < 0.7:
            return self.fact(scope)
        if roll < 0.8:
            return ("not", self.fact(scope))
        return (self.rng.choice(("and", "or", "imp", "and")), self.fact(scope), self.fact(scope))


def generalise(formula: Formula, value: Term, name: str) -> Formula:
    """The formula with a variable in the place of a term."""
    result: Formula = replace(formula, value, ("v", name))
    return result


def put(formula: Formula, name: str, value: Term) -> Formula:
    """The formula with a term in the place of a free variable."""
    result: Formula = substitute(formula, name, value)
    return result
