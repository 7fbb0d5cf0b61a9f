"""Goals about ≤ and < on natural numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.numbers import Numbers, in_a_row
from starter.proof import Step

if TYPE_CHECKING:
    from random import Random


def order(n: Numbers) -> tuple[str, Step]:
    r = n.rng
    a, b, c = n.term(), n.term(), n.term()
    shape = r.randrange(19)
    if shape == 0:
        return f"{a} ≤ {a}", in_a_row(f"exact Nat.le_refl {a}")
    if shape == 1:
        return f"0 ≤ {a}", in_a_row(f"exact Nat.zero_le {a}")
    if shape == 2:
        return f"{a} ≤ {a} + 1", in_a_row(f"exact Nat.le_succ {a}")
    if shape == 3:
        return f"{a} < {a} + 1", in_a_row(f"exact Nat.lt_add_one {a}")
    if shape == 4:
        return f"0 < {a} + 1", in_a_row(f"exact Nat.succ_pos {a}")
    if shape == 5:
        return f"{a} ≤ {a} + {b}", in_a_row(f"exact Nat.le_add_right {a} {b}")
    if shape == 6:
        return f"¬ {a} < {a}", in_a_row(f"exact Nat.lt_irrefl {a}")
    if shape == 7:
        h = n.suppose(f"{a} < {a}")
        return r.choice(("False", f"{b} = {c}")), in_a_row(f"exact absurd {h} (Nat.lt_irrefl {a})")
    if shape == 8:
        h = n.suppose(f"{a} ≤ {b}")
        return f"{a} + 1 ≤ {b} + 1", in_a_row(f"exact Nat.succ_le_succ {h}")
    if shape == 9:
        h = n.suppose(f"{a} + 1 ≤ {b} + 1")
        return f"{a} ≤ {b}", in_a_row(f"exact Nat.le_of_succ_le_succ {h}")
    if shape == 10:
        h = n.suppose(f"{a} < {b}")
        return f"{a} ≤ {b}", in_a_row(f"exact Nat.le_of_lt {h}")
    h, k = _two(n, *_relation(shape, a, b, c)[:2])
    lemma, goal = _relation(shape, a, b, c)[2:]
    if r.random() < 0.2:
        return goal, Step(f"apply {lemma} {h}", (Step(f"exact {k}"),))
    return goal, in_a_row(f"exact {lemma} {h} {k}")


def _relation(shape: int, a: str, b: str, c: str) -> tuple[str, str, str, str]:
    """Two premises, the lemma that joins them, and what it gives."""
    if shape in (11, 12, 13):
        return f"{a} ≤ {b}", f"{b} ≤ {c}", "Nat.le_trans", f"{a} ≤ {c}"
    if shape in (14, 15):
        return f"{a} < {b}", f"{b} < {c}", "Nat.lt_trans", f"{a} < {c}"
    if shape == 16:
        return f"{a} < {b}", f"{b} ≤ {c}", "Nat.lt_of_lt_of_le", f"{a} < {c}"
    return f"{a} ≤ {b}", f"{b} ≤ {a}", "Nat.le_antisymm", f"{a} = {b}"


def _two(n: Numbers, first: str, second: str) -> tuple[str, str]:
    if n.rng.random() < 0.3:
        k = n.suppose(second)
        return n.suppose(first), k
    h = n.suppose(first)
    return h, n.suppose(second)


def order_law(rng: Random, a: str, b: str, c: str) -> tuple[str, Step]:
    """A law about all numbers with its premises in the goal."""
    if rng.random() < 0.4:
        names, goal, tactic = rng.choice(
            (
                (a, f"{a} ≤ {a}", f"exact Nat.le_refl {a}"),
                (a, f"0 ≤ {a}", f"exact Nat.zero_le {a}"),
                (a, f"{a} < {a} + 1", f"exact Nat.lt_add_one {a}"),
                (a, f"¬ {a} < {a}", f"exact Nat.lt_irrefl {a}"),
                (f"{a} {b}", f"{a} ≤ {a} + {b}", f"exact Nat.le_add_right {a} {b}"),
            )
        )
        return f"∀ {names} : Nat, {goal}", in_a_row(f"intro {names}", tactic)
    first, second, lemma, goal = _relation(rng.randrange(11, 19), a, b, c)
    names = f"{a} {b} {c}" if c in goal else f"{a} {b}"
    return f"∀ {names} : Nat, {first} → {second} → {goal}", in_a_row(f"intro {names} h h₁", f"exact {lemma} h h₁")
