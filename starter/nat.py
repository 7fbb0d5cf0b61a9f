"""Simple goals about natural numbers: computation, the first laws of + and *, order, induction in one line.

Each scheme gives a goal and tactics that Lean accepts there; the lemmas are those that every Lean 4 has in core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.nat_equations import equation, from_equation, inductive, rewriting
from starter.nat_order import order
from starter.numbers import Numbers, in_a_row
from starter.proof import Step

if TYPE_CHECKING:
    from random import Random

    from starter.script import Theorem


def draw(rng: Random) -> Theorem | None:
    """One theorem; Lean decides whether its proof is right."""
    numbers = Numbers(rng)
    if rng.random() < 0.5:
        numbers.noise()
    scheme = rng.choice(
        (
            equation,
            equation,
            order,
            order,
            order,
            order,
            _closed,
            rewriting,
            rewriting,
            from_equation,
            inductive,
            _logic,
        )
    )
    goal, proof = scheme(numbers)
    return numbers.statement.with_proof("nat", goal, proof)


def _closed(n: Numbers) -> tuple[str, Step]:
    """Statements about numerals, which computing decides."""
    r = n.rng
    x, y = r.randrange(0, 20), r.randrange(0, 20)
    small = sorted((x, y + 20 if x == y else y))
    return r.choice(
        (
            (f"{x} + {y} = {x + y}", in_a_row("rfl")),
            (f"{x} * {y} = {x * y}", in_a_row("rfl")),
            (f"{small[0]} < {small[1]}", in_a_row("decide")),
            (f"{small[0]} ≤ {small[1]}", in_a_row("decide")),
            (f"{small[0]} ≠ {small[1]}", in_a_row("decide")),
            (f"¬ {small[1]} ≤ {small[0]}", in_a_row("decide")),
            (f"{x} + {y} ≠ {x + y + 1}", in_a_row("decide")),
            (f"¬ {x} = {x + 1 + y}", in_a_row("decide")),
            (f"{x} + {y} ≤ {x + y + 3}", in_a_row("decide")),
            (f"∃ {n.names[0]}' : Nat, {n.names[0]}' + {x} = {x + y}", in_a_row(f"exact ⟨{y}, rfl⟩")),
            (f"∃ {n.names[0]}' : Nat, {n.names[0]}' = {x}", in_a_row(f"exact ⟨{x}, rfl⟩")),
            (f"{small[0]} < {small[1]} ∧ {x} + 1 = {x + 1}", in_a_row("decide")),
            (f"{x} = {x} ∨ {small[1]} < {small[0]}", Step("left", (Step("rfl"),))),
            (f"{small[0]} < {small[1]} ∧ {x} + {y} = {x + y}", Step("constructor", (Step("decide"), Step("rfl")))),
        )
    )


def _logic(n: Numbers) -> tuple[str, Step]:
    """Connectives and quantifiers round a simple goal."""
    r = n.rng
    goal, proof = r.choice((equation, order, _closed, from_equation))(n)
    shape = r.randrange(6)
    if shape == 0:
        other, second = r.choice((equation, _closed))(n)
        return f"{goal} ∧ {other}", Step("constructor", (proof, second))
    if shape == 1:
        return f"({goal}) ∨ {n.term()} = {n.term()}", Step("left", (proof,))
    if shape == 2:
        return f"{n.term()} ≤ {n.term()} ∨ ({goal})", Step("right", (proof,))
    x = r.choice(("x", "y", "k", "z", "j", "i", "t"))
    if x in n.statement.namer.used:
        return goal, proof
    if shape == 3:
        name = r.choice((f"Nat.add_zero {x}", ""))
        if name:
            return f"∀ {x} : Nat, {x} + 0 = {x}", Step(f"intro {x}", (Step("rfl"),))
        return f"∀ {x} : Nat, {x} ≤ {x} + {n.name()}", Step(
            f"intro {x}", (Step(f"exact Nat.le_add_right {x} {n.names[0]}"),)
        )
    if shape == 4:
        return f"∀ {x} : Nat, 0 + {x} = {x}", Step(f"intro {x}", (Step(f"exact Nat.zero_add {x}"),))
    return f"∃ {x} : Nat, {x} = {n.names[0]}", Step(f"exact ⟨{n.names[0]}, rfl⟩")
