"""Theorems about several types: relations with their laws, functions between types, operations with two arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.numbers import in_a_row
from starter.statements import Statement

if TYPE_CHECKING:
    from random import Random

    from starter.proof import Step
    from starter.script import Theorem


def draw(rng: Random) -> Theorem:
    """One theorem; Lean decides whether its proof is right."""
    statement = Statement(rng)
    shapes = (
        _facts,
        _facts,
        _rules,
        _rules,
        _rules,
        _relation,
        _relation,
        _two_types,
        _functions,
        _injective,
        _operation,
        _operation,
    )
    goal, proof = rng.choice(shapes)(statement)
    return statement.with_proof("structures", goal, proof)


def _types(statement: Statement, count: int) -> list[str]:
    types = ["α", "β", "γ"][:count]
    statement.groups.append((types, statement.rng.choice(("Type", "Type", "Type _")), False))
    statement.namer.used.update(types)
    return types


def _elements(statement: Statement, kind: str, names: str) -> list[str]:
    """Some elements of a type, more than are needed, in any order."""
    chosen = names.split()
    statement.groups.append((chosen, kind, False))
    statement.namer.used.update(chosen)
    return statement.rng.sample(chosen, len(chosen))


def _suppose(statement: Statement, *facts: str) -> list[str]:
    """Hypotheses in any order, sometimes with one too many; their names in the order of `facts`."""
    named = {fact: statement.namer.hypothesis(("rule",)) for fact in facts}
    order = list(facts)
    if statement.rng.random() < 0.6:
        statement.rng.shuffle(order)
    statement.groups += [([named[fact]], fact, False) for fact in order]
    return [named[fact] for fact in facts]


def _facts(s: Statement) -> tuple[str, Step]:
    """Facts about letters in any order, and what follows from one or two of them at once."""
    letters = s.rng.sample("pqrst", s.rng.choice((2, 2, 3, 4)))
    s.groups.append((sorted(letters), "Prop", False))
    s.namer.used |= set(letters)
    names = dict(zip(letters, _suppose(s, *letters), strict=True))
    a, b = s.rng.sample(letters, 2)
    return s.rng.choice(
        (
            (a, in_a_row(f"exact {names[a]}")),
            (a, in_a_row(f"exact {names[a]}")),
            (f"{a} ∧ {b}", in_a_row(f"exact ⟨{names[a]}, {names[b]}⟩")),
            (f"{a} ∨ {b}", in_a_row(f"exact Or.inl {names[a]}")),
        )
    )


def _rules(s: Statement) -> tuple[str, Step]:
    """One or two rules for all things, and a fact about one; a bound name may be that of a thing, too."""
    (t,) = _types(s, 1)
    s.groups.append((["P", "Q", "S"], f"{t} → Prop", False))
    p, q, r = s.rng.sample(("P", "Q", "S"), 3)
    a, b = s.rng.sample(("a", "b", "x"), 2)
    x = s.rng.choice(("x", "x", "y", a))
    things = (s.rng.sample((a, b), 2) if s.rng.random() < 0.6 else [a], t, False)
    late = s.rng.random() < 0.5
    if not late:
        s.groups.append(things)
    before = len(s.groups)
    s.namer.used |= {a, b, x}
    rule = f"∀ {x}, {p} {x} → {q} {x}"
    shape = s.rng.randrange(9)
    facts = {
        0: (rule, f"{p} {a}"),
        1: (rule, f"{p} {a}"),
        2: (rule, f"∀ {x}, {q} {x} → {r} {x}", f"{p} {a}"),
        3: (rule, f"¬{q} {a}"),
        4: (rule, f"{p} {a}"),
        5: (f"∀ {x}, {p} {x} ↔ {q} {x}", f"{q} {a}"),
        6: (f"∀ {x}, {p} {x} ∧ {q} {x}", f"{r} {a}"),
        7: (f"∀ {x}, {p} {x} → {q} {x} → {r} {x}", f"{p} {a}", f"{q} {a}"),
        8: (f"∀ {x}, {p} {x}", f"{r} {a}"),
    }[shape]
    named = _suppose(s, *facts)
    if late:  # behind the rules, before the facts about it
        rules = [group for group in s.groups[before:] if group[1].startswith("∀")]
        s.groups[before:] = [*rules, things, *(group for group in s.groups[before:] if group not in rules)]
    h, k, *more = named
    return (
        (f"{q} {a}", in_a_row(f"exact {h} {a} {k}")),
        (f"∃ {x}, {q} {x}", in_a_row(f"exact ⟨{a}, {h} {a} {k}⟩")),
        (f"{r} {a}", in_a_row(f"exact {k} {a} ({h} {a} {''.join(more)})")),
        (f"¬{p} {a}", in_a_row("intro h₉", f"exact {k} ({h} {a} h₉)")),
        (f"{p} {a} ∧ {q} {a}", in_a_row(f"exact ⟨{k}, {h} {a} {k}⟩")),
        (f"{p} {a}", in_a_row(f"exact ({h} {a}).mpr {k}")),
        (f"{q} {a}", in_a_row(f"exact ({h} {a}).2")),
        (f"{r} {a}", in_a_row(f"exact {h} {a} {k} {''.join(more)}")),
        (f"{p} {a} ∧ {r} {a}", in_a_row(f"exact ⟨{h} {a}, {k}⟩")),
    )[shape]


def _relation(s: Statement) -> tuple[str, Step]:
    """A relation that is transitive, symmetric or reflexive."""
    (t,) = _types(s, 1)
    s.groups.append((["R"], f"{t} → {t} → Prop", False))
    a, b, c, d = _elements(s, t, "a b c d")
    trans = "∀ x y z, R x y → R y z → R x z"
    symm = "∀ x y, R x y → R y x"
    refl = "∀ x, R x x"
    shape = s.rng.randrange(9)
    if shape == 0:
        tr, h, k = _suppose(s, trans, f"R {a} {b}", f"R {b} {c}")
        return f"R {a} {c}", in_a_row(f"exact {tr} {a} {b} {c} {h} {k}")
    if shape == 1:
        sy, h = _suppose(s, symm, f"R {a} {b}")
        return f"R {b} {a}", in_a_row(f"exact {sy} {a} {b} {h}")
    if shape == 2:
        (re,) = _suppose(s, refl)
        return f"R {a} {a}", in_a_row(f"exact {re} {a}")
    if shape == 3:
        (re,) = _suppose(s, refl)
        return f"∃ y, R {a} y", in_a_row(f"exact ⟨{a}, {re} {a}⟩")
    if shape == 4:
        tr, sy, h, k = _suppose(s, trans, symm, f"R {a} {b}", f"R {c} {b}")
        return f"R {a} {c}", in_a_row(f"exact {tr} {a} {b} {c} {h} ({sy} {c} {b} {k})")
    if shape == 5:
        tr, h, k, g = _suppose(s, trans, f"R {a} {b}", f"R {b} {c}", f"R {c} {d}")
        return f"R {a} {d}", in_a_row(f"have h₉ := {tr} {a} {b} {c} {h} {k}", f"exact {tr} {a} {c} {d} h₉ {g}")
    if shape == 6:
        (sy,) = _suppose(s, symm)
        return f"R {a} {b} ↔ R {b} {a}", in_a_row(f"exact ⟨{sy} {a} {b}, {sy} {b} {a}⟩")
    if shape == 7:
        sy, no = _suppose(s, symm, f"¬R {a} {b}")
        return f"¬R {b} {a}", in_a_row("intro h₉", f"exact {no} ({sy} {b} {a} h₉)")
    irr, h = _suppose(s, "∀ x, ¬R x x", f"R {a} {b}")
    return f"{a} ≠ {b}", in_a_row("intro h₉", f"rw [h₉] at {h}", f"exact {irr} {b} {h}")


def _two_types(s: Statement) -> tuple[str, Step]:
    """Quantifiers over two types, moved about."""
    t, u = _types(s, 2)
    s.groups.append((["R"], f"{t} → {u} → Prop", False))
    (a,) = _elements(s, t, "a")
    b, _ = _elements(s, u, "b c")
    shape = s.rng.randrange(6)
    if shape == 0:
        (h,) = _suppose(s, "∀ x y, R x y")
        return "∀ y x, R x y", in_a_row("intro y x", f"exact {h} x y")
    if shape == 1:
        (h,) = _suppose(s, "∃ x, ∃ y, R x y")
        return "∃ y, ∃ x, R x y", in_a_row(f"obtain ⟨x, y, h₉⟩ := {h}", "exact ⟨y, x, h₉⟩")
    if shape == 2:
        (h,) = _suppose(s, "∃ x, ∀ y, R x y")
        return "∀ y, ∃ x, R x y", in_a_row("intro y", f"obtain ⟨x, h₉⟩ := {h}", "exact ⟨x, h₉ y⟩")
    if shape == 3:
        (h,) = _suppose(s, "∀ x y, R x y")
        return f"R {a} {b}", in_a_row(f"exact {h} {a} {b}")
    if shape == 4:
        (h,) = _suppose(s, f"R {a} {b}")
        return "∃ x y, R x y", in_a_row(f"exact ⟨{a}, {b}, {h}⟩")
    (h,) = _suppose(s, f"∀ x, R x {b}")
    return "∀ x, ∃ y, R x y", in_a_row("intro x", f"exact ⟨{b}, {h} x⟩")


def _functions(s: Statement) -> tuple[str, Step]:
    """Functions between types, and equal arguments."""
    t, u, v = _types(s, 3)
    s.groups += [(["f"], f"{t} → {u}", False), (["g"], f"{u} → {v}", False), (["P"], f"{t} → Prop", False)]
    a, b, c = _elements(s, t, "a b c")
    shape = s.rng.randrange(8)
    h, k = _suppose(s, f"{a} = {b}", f"{b} = {c}")
    if shape == 0:
        return f"f {a} = f {b}", in_a_row(f"rw [{h}]")
    if shape == 1:
        return f"g (f {a}) = g (f {b})", in_a_row(f"rw [{h}]")
    if shape == 2:
        return f"f {a} = f {c}", in_a_row(f"rw [{h}, {k}]")
    if shape == 3:
        return f"f {c} = f {b}", in_a_row(f"rw [{k}]")
    if shape == 4:
        return f"P {a} ↔ P {b}", in_a_row(f"rw [{h}]")
    if shape == 5:
        return f"P {a} → P {c}", in_a_row(f"rw [{h}, {k}]", "intro h₉", "exact h₉")
    if shape == 6:
        return f"∃ x, f x = f {a}", in_a_row(f"exact ⟨{a}, rfl⟩")
    return f"∃ y, g y = g (f {b})", in_a_row(f"exact ⟨f {b}, rfl⟩")


def _injective(s: Statement) -> tuple[str, Step]:
    """Functions that are injective or have an inverse."""
    t, u = _types(s, 2)
    s.groups += [(["f"], f"{t} → {u}", False), (["g"], f"{u} → {t}", False)]
    a, b, _ = _elements(s, t, "a b c")
    shape = s.rng.randrange(5)
    injective, inverse = "∀ x y, f x = f y → x = y", "∀ x, g (f x) = x"
    if shape == 0:
        i, h = _suppose(s, injective, f"f {a} = f {b}")
        return f"{a} = {b}", in_a_row(f"exact {i} {a} {b} {h}")
    if shape == 1:
        i, h = _suppose(s, injective, f"{a} ≠ {b}")
        return f"f {a} ≠ f {b}", in_a_row("intro h₉", f"exact {h} ({i} {a} {b} h₉)")
    if shape == 2:
        (i,) = _suppose(s, inverse)
        return f"f (g (f {a})) = f {a}", in_a_row(f"rw [{i}]")
    if shape == 3:
        i, h = _suppose(s, inverse, f"f {a} = f {b}")
        return f"{a} = {b}", in_a_row(f"rw [← {i} {a}, {h}, {i}]")
    (i,) = _suppose(s, inverse)
    return f"∃ y, g y = {a}", in_a_row(f"exact ⟨f {a}, {i} {a}⟩")


def _operation(s: Statement) -> tuple[str, Step]:
    """An operation with two arguments that is commutative, associative, or has a neutral element."""
    (t,) = _types(s, 1)
    s.groups.append((["f"], f"{t} → {t} → {t}", False))
    a, b, c, e = _elements(s, t, "a b c e")
    shape = s.rng.randrange(8)
    if shape < 4:
        (k,) = _suppose(s, "∀ x y, f x y = f y x")
        return s.rng.choice(
            (
                (f"f {a} {b} = f {b} {a}", in_a_row(f"exact {k} {a} {b}")),
                (f"f (f {a} {b}) {c} = f (f {b} {a}) {c}", in_a_row(f"rw [{k} {a} {b}]")),
                (f"f {c} (f {a} {b}) = f {c} (f {b} {a})", in_a_row(f"rw [{k} {a} {b}]")),
                (f"f (f {a} {b}) {c} = f {c} (f {a} {b})", in_a_row(f"exact {k} (f {a} {b}) {c}")),
                (f"f (f {a} {b}) {c} = f {c} (f {b} {a})", in_a_row(f"rw [{k} (f {a} {b}) {c}, {k} {a} {b}]")),
            )
        )
    if shape < 6:
        (k,) = _suppose(s, "∀ x y z, f (f x y) z = f x (f y z)")
        return s.rng.choice(
            (
                (f"f (f {a} {b}) {c} = f {a} (f {b} {c})", in_a_row(f"exact {k} {a} {b} {c}")),
                (f"f {a} (f {b} {c}) = f (f {a} {b}) {c}", in_a_row(f"exact ({k} {a} {b} {c}).symm")),
                (f"f (f (f {a} {b}) {c}) {e} = f {a} (f {b} (f {c} {e}))", in_a_row(f"rw [{k}, {k}]")),
            )
        )
    (k,) = _suppose(s, f"∀ x, f x {e} = x")
    return s.rng.choice(
        (
            (f"f {a} {e} = {a}", in_a_row(f"exact {k} {a}")),
            (f"f (f {a} {e}) {b} = f {a} {b}", in_a_row(f"rw [{k}]")),
            (f"∃ x, f {a} x = {a}", in_a_row(f"exact ⟨{e}, {k} {a}⟩")),
            (f"{a} = f {a} {e}", in_a_row(f"exact ({k} {a}).symm")),
        )
    )
