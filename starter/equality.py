"""Theorems about equality: symmetry, transitivity, congruence, rewriting with equations, facts carried along them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from starter.formulas import Formula, Term, atom, replace, show, show_term, subterms
from starter.pools import FUNCTIONS, PREDICATES, TYPES, VARIABLES
from starter.proof import Step
from starter.prover import Prover
from starter.statements import Statement, move_to_goal

if TYPE_CHECKING:
    from random import Random

    from starter.script import Theorem


class World:
    """A type with elements, one or two functions and a predicate."""

    def __init__(self, statement: Statement) -> None:
        rng, namer = statement.rng, statement.namer
        self.rng = rng
        if rng.random() < 0.3:
            self.type = "Nat"
        else:
            self.type = namer.take(TYPES)
            statement.groups.append(
                ([self.type], rng.choice(("Type", "Type", "Type _", "Sort _")), rng.random() < 0.35)
            )
        self.names = namer.several(VARIABLES, rng.choice((2, 3, 3, 4, 5)))
        if rng.random() < 0.7:
            statement.declare(self.names, self.type)
        else:
            for name in self.names:
                statement.declare([name], self.type)
        self.functions = namer.several(FUNCTIONS, rng.choice((1, 1, 2)))
        statement.groups.append((self.functions, f"{self.type} → {self.type}", False))
        self.predicate = namer.take(PREDICATES)

    def element(self) -> Term:
        return ("v", self.rng.choice(self.names))

    def term(self) -> Term:
        inner = self.element()
        while self.rng.random() < 0.35:
            inner = ("f", self.rng.choice(self.functions), (inner,))
        return inner


def draw(rng: Random) -> Theorem | None:
    """One theorem, or None where the draw was not provable."""
    statement = Statement(rng)
    world = World(statement)
    shape = rng.random()
    if shape < 0.3:
        goal = _chain(rng, statement, world)
    elif shape < 0.5:
        goal = _rewrite(rng, statement, world)
    elif shape < 0.72:
        return _carried(rng, statement, world)
    elif shape < 0.82:
        goal = _universal(rng, statement, world)
    elif shape < 0.92:
        goal = _unequal(rng, statement, world)
    else:
        return _one_step(rng, statement, world)
    _noise(statement, world)
    goal = move_to_goal(statement, goal)
    prover = Prover(rng, limit=rng.choice((2.0, 3.4, 4.2)))
    return statement.theorem("equality", goal, prover, 5)


def _noise(statement: Statement, world: World) -> None:
    for _ in range(statement.rng.choice((0, 0, 0, 1, 1, 2, 3))):
        left, right = world.term(), world.term()
        if left != right:
            statement.suppose((statement.rng.choice(("eq", "eq", "ne")), left, right))
    statement.shuffle()


def _chain(rng: Random, statement: Statement, world: World) -> Formula:
    """Equations one after another, some turned round, and the ends of the chain."""
    nodes: list[Term] = [("v", name) for name in rng.sample(world.names, len(world.names))][
        : rng.choice((2, 2, 3, 3, 4))
    ]
    if rng.random() < 0.4:
        nodes = [("f", rng.choice(world.functions), (n,)) if rng.random() < 0.5 else n for n in nodes]
    for left, right in itertools.pairwise(nodes):
        statement.suppose(("eq", right, left) if rng.random() < 0.35 else ("eq", left, right))
    goal: Formula = ("eq", nodes[0], nodes[-1])
    if rng.random() < 0.25:
        head = rng.choice(world.functions)
        goal = ("eq", ("f", head, (nodes[0],)), ("f", head, (nodes[-1],)))
    return ("eq", goal[2], goal[1]) if rng.random() < 0.35 else goal


def _rewrite(rng: Random, statement: Statement, world: World) -> Formula:
    """A goal that becomes ``t = t`` by rewriting with one to three hypotheses."""
    left = right = world.term()
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        old = rng.choice(list(subterms(right)))
        new = world.term()
        if old == new:
            continue
        statement.suppose(("eq", new, old) if rng.random() < 0.4 else ("eq", old, new))
        right = replace(right, old, new)
    for _ in range(rng.choice((0, 1, 1, 2))):
        head = rng.choice(world.functions)
        left, right = ("f", head, (left,)), ("f", head, (right,))
    return ("eq", right, left) if rng.random() < 0.3 else ("eq", left, right)


def _carried(rng: Random, statement: Statement, world: World) -> Theorem | None:
    """A fact about one side of an equation, wanted for the other."""
    statement.groups.append(([world.predicate], f"{world.type} → Prop", False))
    old, new = world.term(), world.term()
    if old == new or old in list(subterms(new)) or new in list(subterms(old)):
        return None
    wrap = world.functions[0] if rng.random() < 0.3 else ""
    inner = (lambda t: ("f", wrap, (t,))) if wrap else (lambda t: t)
    backwards = rng.random() < 0.4
    equation = statement.suppose(("eq", new, old) if backwards else ("eq", old, new))
    fact = statement.suppose(atom(world.predicate, inner(old)))
    if rng.random() < 0.3:
        statement.hypotheses.reverse()
    _noise(statement, world)
    arrow, other = ("← ", "") if backwards else ("", "← ")
    roll = rng.random()
    variables = [t for t in (old, new) if t[0] == "v"]
    if roll < 0.4:
        proof = Step(f"exact {equation} ▸ {fact}")
    elif roll < 0.7:
        proof = Step(f"rw [{other}{equation}]", (Step(f"exact {fact}"),))
    elif roll < 0.85 or not variables:
        proof = Step(f"rw [{arrow}{equation}] at {fact}", (Step(f"exact {fact}"),))
    else:
        proof = Step(f"subst {equation}", (Step(f"exact {fact}"),))
    return statement.with_proof("equality", show(atom(world.predicate, inner(new))), proof)


def _universal(rng: Random, statement: Statement, world: World) -> Formula:
    """Equations for all x, used at a point."""
    f, g = world.functions[0], world.functions[-1]
    x = next(n for n in ("x", "y", "z", "t", "v", "x'") if n not in statement.namer.used)
    var: Term = ("v", x)
    law = rng.choice((
        ("eq", ("f", f, (var,)), ("f", g, (var,))) if f != g else ("eq", ("f", f, (("f", f, (var,)),)), var),
        ("eq", ("f", f, (("f", g, (var,)),)), var), ("eq", ("f", f, (var,)), var),
        ("eq", ("f", f, (("f", g, (var,)),)), ("f", g, (("f", f, (var,)),))), ("eq", ("f", f, (var,)), world.element()),
    ))  # fmt: skip
    statement.suppose(("all", x, world.type, law))
    point = world.term()
    left, right = (replace(side, var, point) for side in law[1:])
    for _ in range(rng.choice((0, 0, 1))):
        head = rng.choice(world.functions)
        left, right = ("f", head, (left,)), ("f", head, (right,))
    if rng.random() < 0.15:
        return ("all", x, world.type, law)
    return ("eq", right, left) if rng.random() < 0.3 else ("eq", left, right)


def _unequal(rng: Random, statement: Statement, world: World) -> Formula:
    """Inequalities: symmetry, contradiction with an equation, what follows for arguments."""
    a, b = world.term(), world.term()
    if a == b:
        return ("eq", a, b)
    shape = rng.randrange(5)
    if shape == 0:
        statement.suppose(("ne", a, b))
        return ("ne", b, a)
    if shape == 1:
        statement.suppose(("ne", a, b))
        statement.suppose(("eq", a, b) if rng.random() < 0.6 else ("eq", b, a))
        return ("eq", world.term(), world.term()) if rng.random() < 0.6 else ("F",)
    if shape == 2:
        head = rng.choice(world.functions)
        statement.suppose(("ne", ("f", head, (a,)), ("f", head, (b,))))
        return ("ne", a, b)
    if shape == 3:
        statement.suppose(("ne", a, a))
        return ("F",) if rng.random() < 0.5 else ("eq", a, b)
    statement.suppose(("imp", ("eq", a, b), ("F",)))
    return ("ne", a, b) if rng.random() < 0.7 else ("ne", b, a)


def _one_step(rng: Random, statement: Statement, world: World) -> Theorem:
    """Goals that one named tactic or lemma closes."""
    a, b = world.term(), world.term()
    head = rng.choice(world.functions)
    ta, tb = show_term(a, True), show_term(b, True)
    roll = rng.randrange(5)
    if roll == 0:
        _noise(statement, world)
        return statement.with_proof("equality", f"{ta} = {ta}", Step("rfl"))
    equation = statement.suppose(("eq", a, b))
    if roll == 1:
        _noise(statement, world)
        return statement.with_proof(
            "equality",
            f"{head} {ta} = {head} {tb}",
            Step(rng.choice((f"rw [{equation}]", f"exact congrArg {head} {equation}"))),
        )
    if roll == 2:
        _noise(statement, world)
        proof = Step(f"exact {equation}.symm") if rng.random() < 0.7 else Step("symm", (Step(f"exact {equation}"),))
        return statement.with_proof("equality", f"{tb} = {ta}", proof)
    if roll == 3:
        _noise(statement, world)
        return statement.with_proof(
            "equality", f"{tb} = {ta} ∧ {ta} = {tb}", Step(f"exact ⟨{equation}.symm, {equation}⟩")
        )
    c = rng.choice(world.names)
    second = statement.suppose(("eq", b, ("v", c)))
    _noise(statement, world)
    return statement.with_proof("equality", f"{ta} = {c}", Step(f"exact {equation}.trans {second}"))
