"""Equations between natural numbers: laws of + and *, rewriting with hypotheses, induction in one line."""

from __future__ import annotations

from starter.numbers import Numbers, bare, in_a_row
from starter.proof import Step


def equation(n: Numbers) -> tuple[str, Step]:
    a, b, c = n.term(), n.term(), n.term()
    return n.rng.choice(
        (
            (f"{a} + {b} = {b} + {a}", in_a_row(f"exact Nat.add_comm {a} {b}")),
            (f"{a} + {b} = {b} + {a}", in_a_row("rw [Nat.add_comm]")),
            (f"{a} + {b} + {c} = {a} + ({b} + {c})", in_a_row(f"exact Nat.add_assoc {a} {b} {c}")),
            (f"{a} + ({b} + {c}) = {a} + {b} + {c}", in_a_row("rw [Nat.add_assoc]")),
            (f"{a} + ({b} + {c}) = {b} + ({a} + {c})", in_a_row(f"exact Nat.add_left_comm {a} {b} {c}")),
            (f"0 + {a} = {a}", in_a_row(n.rng.choice((f"exact Nat.zero_add {a}", "simp", "simp")))),
            (f"{a} + 0 = {a}", in_a_row("rfl")),
            (f"{a} * 0 = 0", in_a_row("rfl")),
            (f"0 * {a} = 0", in_a_row(n.rng.choice((f"exact Nat.zero_mul {a}", "simp")))),
            (f"{a} * 1 = {a}", in_a_row(n.rng.choice((f"exact Nat.mul_one {a}", "simp")))),
            (f"{a} + 1 = Nat.succ {a}", in_a_row("rfl")),
            (f"Nat.succ {a} = {a} + 1", in_a_row("rfl")),
            (f"{a} + Nat.succ {b} = Nat.succ ({bare(a)} + {b})", in_a_row("rfl")),
            (f"Nat.succ {a} + {b} = Nat.succ ({bare(a)} + {b})", in_a_row(f"exact Nat.succ_add {a} {b}")),
            (f"{a} = {a} + 0", in_a_row("rfl")),
            (f"{a} = 0 + {a}", in_a_row(n.rng.choice(("simp", f"exact (Nat.zero_add {a}).symm")))),
            (f"{a} + {b} + 0 = {b} + {a}", in_a_row(f"exact Nat.add_comm {a} {b}")),
            (f"0 + {a} + {b} = {a} + {b}", in_a_row(n.rng.choice(("rw [Nat.zero_add]", "simp")))),
            (f"{a} + {b} + {c} = {b} + {a} + {c}", in_a_row(f"rw [Nat.add_comm {a} {b}]")),
            (f"{a} + {b} + {c} = {c} + ({a} + {b})", in_a_row(f"exact Nat.add_comm ({bare(a)} + {b}) {c}")),
            (f"Nat.succ {a} ≠ 0", in_a_row(f"exact Nat.succ_ne_zero {a}")),
            (f"{a} + 1 ≠ 0", in_a_row(f"exact Nat.succ_ne_zero {a}")),
            (f"{a} + ({b} + 0) = {a} + {b}", in_a_row("rfl")),
            (f"{a} = {a}", in_a_row("rfl")),
        )
    )


def rewriting(n: Numbers) -> tuple[str, Step]:
    """Laws of + as rewriting steps, alone and with hypotheses."""
    a, b, c = n.term(), n.term(), n.term()
    d = n.term()
    r = n.rng
    if r.random() < 0.4:
        h = n.suppose(f"{a} + {b} = {c}")
        return r.choice(
            (
                (f"{b} + {a} = {c}", in_a_row(f"rw [Nat.add_comm {b} {a}]", f"exact {h}")),
                (f"{b} + {a} = {c}", in_a_row(f"rw [Nat.add_comm, {h}]")),
                (f"{c} = {a} + {b}", in_a_row(f"exact {h}.symm")),
                (f"{a} + {b} + {d} = {c} + {d}", in_a_row(f"rw [{h}]")),
                (f"{a} + ({b} + {d}) = {c} + {d}", in_a_row(f"rw [← Nat.add_assoc, {h}]")),
                (f"{a} + ({b} + {d}) = {c} + {d}", in_a_row("rw [← Nat.add_assoc]", f"rw [{h}]")),
                (f"{a} + {b} + 0 = {c}", in_a_row(f"exact {h}")),
                (f"0 + ({a} + {b}) = {c}", in_a_row(f"rw [Nat.zero_add, {h}]")),
                (f"0 + ({a} + {b}) = {c}", in_a_row("rw [Nat.zero_add]", f"exact {h}")),
            )
        )
    return r.choice(
        (
            (
                f"{a} + {b} + {c} = {a} + {c} + {b}",
                in_a_row(f"rw [Nat.add_assoc, Nat.add_comm {b} {c}, Nat.add_assoc]"),
            ),
            (
                f"{a} + {b} + {c} = {a} + {c} + {b}",
                in_a_row("rw [Nat.add_assoc]", f"rw [Nat.add_comm {b} {c}]", "rw [Nat.add_assoc]"),
            ),
            (f"{a} + {b} + {c} = {b} + ({a} + {c})", in_a_row(f"rw [Nat.add_comm {a} {b}, Nat.add_assoc]")),
            (
                f"{a} + {b} + {c} = {c} + {b} + {a}",
                in_a_row(f"rw [Nat.add_comm {a} {b}, Nat.add_comm ({bare(b)} + {a}) {c}, Nat.add_assoc]"),
            ),
            (f"{a} + {b} + {c} = {a} + ({c} + {b})", in_a_row(f"rw [Nat.add_assoc, Nat.add_comm {b} {c}]")),
            (f"{a} + ({b} + {c}) = {a} + ({c} + {b})", in_a_row(f"rw [Nat.add_comm {b} {c}]")),
            (f"0 + {a} + 0 = {a}", in_a_row(r.choice(("simp", "rw [Nat.add_zero, Nat.zero_add]")))),
            (f"{a} * 1 + 0 = {a}", in_a_row("simp")),
            (f"{a} * 0 + {b} = {b}", in_a_row("simp")),
            (f"0 * {a} + {b} = {b}", in_a_row("simp")),
            (f"{a} + {b} * 0 = {a}", in_a_row(r.choice(("simp", "rfl")))),
            (f"{a} * {b} + 0 = {a} * {b}", in_a_row("rfl")),
        )
    )


def from_equation(n: Numbers) -> tuple[str, Step]:
    """Equations between numbers as hypotheses."""
    r = n.rng
    a, b, c = n.three()
    t = n.term()
    h = n.suppose(f"{a} = {b}")
    if r.random() < 0.3:
        k = n.suppose(f"{b} = {c}")
        return r.choice(
            (
                (f"{a} = {c}", in_a_row(f"exact {h}.trans {k}")),
                (f"{a} = {c}", in_a_row(f"rw [{h}, {k}]")),
                (f"{c} = {a}", in_a_row(f"exact ({h}.trans {k}).symm")),
                (f"{a} + {t} = {c} + {t}", in_a_row(f"rw [{h}, {k}]")),
                (f"{a} ≤ {c}", in_a_row(f"rw [{h}, {k}]", f"exact Nat.le_refl {c}")),
            )
        )
    if r.random() < 0.3:
        k = n.suppose(f"{b} {r.choice('≤<')} {c}")
        op = n.statement.groups[-1][1].split()[1]
        return f"{a} {op} {c}", r.choice((in_a_row(f"rw [{h}]", f"exact {k}"), in_a_row(f"exact {h} ▸ {k}")))
    return r.choice(
        (
            (f"{b} = {a}", in_a_row(f"exact {h}.symm")),
            (f"{a} + {t} = {b} + {t}", in_a_row(f"rw [{h}]")),
            (f"{t} + {a} = {t} + {b}", in_a_row(f"rw [{h}]")),
            (f"Nat.succ {a} = Nat.succ {b}", in_a_row(f"rw [{h}]")),
            (f"{a} + 1 = {b} + 1", in_a_row(f"rw [{h}]")),
            (f"{a} * {t} = {b} * {t}", in_a_row(f"rw [{h}]")),
            (f"{a} + {t} = {t} + {b}", in_a_row(f"rw [{h}, Nat.add_comm]")),
            (f"{a} ≤ {b}", in_a_row(f"rw [{h}]", f"exact Nat.le_refl {b}")),
            (f"{a} + 0 = {b}", in_a_row(f"exact {h}")),
            (f"0 + {a} = {b}", in_a_row(f"rw [Nat.zero_add, {h}]")),
            (f"0 + {a} = {b}", in_a_row("simp_all")),
            (f"{b} + {a} = {a} + {a}", in_a_row(f"rw [{h}]")),
        )
    )


def inductive(n: Numbers) -> tuple[str, Step]:
    """Laws that need induction, with both cases in one line."""
    names = [x for x in n.names if not any(x in text.split() for _, text, _ in n.statement.groups[1:])]
    if not names:
        return equation(n)
    x = n.rng.choice(names)
    a = n.rng.choice([y for y in n.names if y != x] or ["2"])
    succ = "ih" if "ih" not in n.statement.namer.used else "ih₁"
    goal, base, step = n.rng.choice(
        (
            (f"0 + {x} = {x}", "rfl", f"rw [Nat.add_succ, {succ}]"),
            (f"0 * {x} = 0", "rfl", f"rw [Nat.mul_succ, {succ}]"),
            (f"{x} ≤ {x} + {a}", "exact Nat.zero_le _", f"rw [Nat.succ_add]; exact Nat.succ_le_succ {succ}"),
            (f"0 ≤ {x}", "exact Nat.le_refl 0", "exact Nat.zero_le _"),
            (f"{x} * 1 = {x}", "rfl", "simp"),
            (f"{x} + {a} = {a} + {x}", "simp", f"rw [Nat.succ_add, Nat.add_succ, {succ}]"),
            (f"Nat.succ {a} + {x} = Nat.succ ({a} + {x})", "rfl", f"rw [Nat.add_succ, {succ}]"),
        )
    )
    tactic = f"induction {x} with | zero => {base} | succ {x} {succ} => {step}"
    if ";" in step:
        tactic = f"induction {x} with | zero => {base} | succ {x} {succ} => ({step})"
    return goal, Step(tactic)
