"""The first goals of a course: laws of logic over letters alone, and goals without any hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.formulas import FALSE, TRUE, Formula, atom
from starter.laws import propositional_laws
from starter.nat_order import order_law
from starter.numbers import in_a_row
from starter.proof import Step
from starter.prover import Prover
from starter.statements import Statement

if TYPE_CHECKING:
    from random import Random

    from starter.script import Theorem

_LETTERS = "p q r s"


def draw(rng: Random) -> Theorem | None:
    """One theorem, or None where the draw was not provable."""
    statement = Statement(rng)
    shape = rng.random()
    if shape < 0.2:
        sentence, proof = rng.choice((computed, _all_numbers))(rng)
        return statement.with_proof("basics", sentence, proof)
    if shape < 0.35:
        return statement.theorem("basics", constants(rng, rng.choice((0, 1, 1, 2, 2, 3))), Prover(rng), 5)
    names = _LETTERS.split()
    left, right = rng.choice(propositional_laws(*map(atom, names)))
    used = [name for name in names if _occurs(name, (left, right))]
    prover = Prover(rng, limit=rng.choice((2.0, 3.4, 3.4)))
    if shape < 0.5:  # `∀ p q : Prop, …`, in one binder or in several
        goal: Formula = ("imp", left, right)
        for name in reversed(used):
            goal = ("all", name, "Prop", goal)
        return statement.theorem("basics", goal, prover, 7)
    statement.declare(used, "Prop")
    statement.namer.used.update(used)
    if shape < 0.6:
        return statement.theorem("basics", ("imp", left, right), prover, 6)
    for fact in _premises(rng, left):
        statement.suppose(fact)
    while right[0] == "imp" and rng.random() < 0.5:
        statement.suppose(right[1])
        right = right[2]
    statement.shuffle()
    return statement.theorem("basics", right, prover, 6)


def _premises(rng: Random, fact: Formula) -> list[Formula]:
    """A premise as it is, or half of the time the two sides of a conjunction."""
    if fact[0] == "and" and rng.random() < 0.5:
        return [*_premises(rng, fact[1]), *_premises(rng, fact[2])]
    return [fact]


def _occurs(name: str, thing: object) -> bool:
    return thing == name or (isinstance(thing, tuple) and any(_occurs(name, part) for part in thing))


def constants(rng: Random, size: int) -> Formula:
    """A formula of `True` and `False` alone."""
    if size == 0:
        return TRUE if rng.random() < 0.75 else FALSE
    if rng.random() < 0.2:
        return ("not", constants(rng, size - 1))
    left = rng.randrange(size)
    return (rng.choice(("and", "and", "or", "imp", "iff")), constants(rng, left), constants(rng, size - 1 - left))


def computed(rng: Random) -> tuple[str, Step]:
    """A statement about numerals."""
    a, b, c = rng.randrange(13), rng.randrange(13), rng.randrange(1, 9)
    goal, tactic = rng.choice(
        (
            (f"{a} + {b} = {a + b}", "rfl"),
            (f"{a} + {b} = {a + b}", "rfl"),
            (f"{a + b} = {a} + {b}", "rfl"),
            (f"{a} * {b} = {a * b}", "rfl"),
            (f"{a} = {a}", "rfl"),
            (f"{a + b} - {b} = {a}", "rfl"),
            (f"{a} + {b} = {b} + {a}", "rfl"),
            (f"{a} < {a + c}", "decide"),
            (f"{a} ≤ {a + b}", "decide"),
            (f"{a} ≠ {a + c}", "decide"),
            (f"¬ {a + c} ≤ {a}", "decide"),
            (f"¬ {a + c} = {a}", "decide"),
            (f"{a} < {a + c} ∧ {b} ≤ {b + c}", "decide"),
            (f"{a} = {a} ∧ {b} = {b}", "exact ⟨rfl, rfl⟩"),
            (f"{a} + {b} = {a + b} ∧ {c} * 2 = {2 * c}", "exact ⟨rfl, rfl⟩"),
            (f"∃ n : Nat, n = {a}", f"exact ⟨{a}, rfl⟩"),
            (f"∃ n : Nat, n + {b} = {a + b}", f"exact ⟨{a}, rfl⟩"),
            (f"∃ n : Nat, {c} * n = {c * a}", f"exact ⟨{a}, rfl⟩"),
            (f"∃ n m : Nat, n + m = {a}", f"exact ⟨{a}, 0, rfl⟩"),
            (f"∃ n : Nat, {a} < n", f"exact ⟨{a + 1}, by decide⟩"),
            ("Nat.succ 0 = 1", "rfl"),
        )
    )
    return goal, Step(tactic)


def _all_numbers(rng: Random) -> tuple[str, Step]:
    """A law about all numbers."""
    a, b, c = rng.choice(("n m k", "a b c", "x y z", "m n k", "i j k")).split()
    if rng.random() < 0.4:
        return order_law(rng, a, b, c)
    names, goal, tactic = rng.choice(
        (
            (a, f"{a} = {a}", "rfl"),
            (a, f"{a} + 0 = {a}", "rfl"),
            (a, f"0 + {a} = {a}", f"exact Nat.zero_add {a}"),
            (a, f"{a} * 1 = {a}", f"exact Nat.mul_one {a}"),
            (a, f"{a} * 0 = 0", "rfl"),
            (a, f"0 * {a} = 0", f"exact Nat.zero_mul {a}"),
            (f"{a} {b}", f"{a} + {b} = {b} + {a}", f"exact Nat.add_comm {a} {b}"),
            (f"{a} {b} {c}", f"{a} + {b} + {c} = {a} + ({b} + {c})", f"exact Nat.add_assoc {a} {b} {c}"),
            (a, f"∃ {b} : Nat, {b} = {a}", f"exact ⟨{a}, rfl⟩"),
            (a, f"∃ {b} : Nat, {a} < {b}", f"exact ⟨{a} + 1, Nat.lt_add_one {a}⟩"),
            (a, f"{a} + 1 ≠ 0", f"exact Nat.succ_ne_zero {a}"),
        )
    )
    return f"∀ {names} : Nat, {goal}", in_a_row(f"intro {names}", tactic)
