"""Laws about quantifiers, over random predicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.formulas import FALSE, Formula, Term, atom
from starter.vocabulary import put

if TYPE_CHECKING:
    from starter.statements import Statement
    from starter.vocabulary import Vocabulary


def quantifier_law(statement: Statement, words: Vocabulary) -> Formula:
    """A law about quantifiers with random parts; its premises become hypotheses or stay in the goal."""
    rng = statement.rng
    x, y = words.var(0), words.var(1)
    z = rng.choice((x, x, words.var(2)))
    kind = words.type
    a, b, c = words.part([x]), words.part([x]), words.part([x])
    closed = words.fact([]) if words.constants else atom(words.predicates[0], ("v", x))

    def every(f: Formula, name: str = x) -> Formula:
        return ("all", name, kind, f if name == x else put(f, x, ("v", name)))

    def some(f: Formula, name: str = x) -> Formula:
        return ("ex", name, kind, f if name == x else put(f, x, ("v", name)))

    rel = atom(words.relations[0], ("v", x), ("v", y)) if words.relations else ("and", words.fact([x]), words.fact([y]))
    flipped = (
        atom(words.relations[0], ("v", y), ("v", x)) if words.relations else ("and", words.fact([y]), words.fact([x]))
    )
    laws: list[tuple[list[Formula], Formula]] = [
        ([every(("imp", a, b)), every(a)], every(b, z)),
        ([every(("imp", a, b)), every(("imp", b, c))], every(("imp", a, c), z)),
        ([every(("imp", a, b)), some(a)], some(b, z)),
        ([every(("and", a, b))], ("and", every(a), every(b, z))),
        ([("and", every(a), every(b))], every(("and", a, b), z)),
        ([some(("and", a, b))], ("and", some(a), some(b, z))),
        ([some(("and", a, b))], some(("and", b, a), z)),
        ([some(("or", a, b))], ("or", some(a), some(b, z))),
        ([("or", some(a), some(b))], some(("or", a, b), z)),
        ([some(a)], ("not", every(("not", a), z))),
        ([every(a)], ("not", some(("not", a), z))),
        ([every(("not", a))], ("not", some(a, z))),
        ([("not", some(a))], every(("not", a), z)),
        ([every(a), some(b)], some(("and", a, b), z)),
        ([("or", every(a), every(b))], every(("or", a, b), z)),
        ([some(("not", a))], ("not", every(a, z))),
        ([every(("iff", a, b)), some(a)], some(b, z)),
        ([every(("iff", a, b))], ("iff", every(a), every(b, z))),
        ([every(("iff", a, b))], ("iff", some(a), some(b, z))),
        ([every(("or", a, b)), every(("not", a))], every(b, z)),
        ([some(("ex", y, kind, rel))], ("ex", y, kind, some(rel))),
        ([("ex", x, kind, ("all", y, kind, rel))], ("all", y, kind, ("ex", x, kind, rel))),
        ([("all", x, kind, ("all", y, kind, rel))], ("all", y, kind, ("all", x, kind, rel))),
        (
            [("all", x, kind, ("all", y, kind, ("imp", rel, flipped)))],
            ("all", x, kind, ("all", y, kind, ("iff", rel, flipped))),
        ),
        ([("all", x, kind, ("all", y, kind, rel))], ("all", x, kind, put(rel, y, ("v", x)))),
        ([every(a), every(("imp", a, FALSE))], ("not", some(b))),
        ([some(a), every(("not", a))], FALSE),
        ([], every(("imp", a, a))),
        ([every(("imp", a, closed))], ("imp", some(a, z), closed)),
        ([("imp", some(a), closed)], every(("imp", a, closed), z)),
        ([some(("and", a, ("and", b, c)))], some(("and", c, a), z)),
        ([every(("imp", a, ("imp", b, c)))], every(("imp", b, ("imp", a, c)), z)),
    ]
    if words.constants:
        value: Term = ("v", rng.choice(words.constants))

        def at(f: Formula) -> Formula:
            return put(f, x, value)

        laws += [
            ([every(a)], at(a)),
            ([every(a)], some(a)),
            ([at(a)], some(a)),
            ([every(("imp", a, b)), at(a)], at(b)),
            ([every(("imp", a, b)), ("not", at(b))], ("not", at(a))),
            ([every(("and", a, b))], at(b)),
            ([("not", some(a))], ("not", at(a))),
            ([at(a), at(b)], some(("and", a, b))),
            ([every(("imp", a, b)), at(a)], some(("and", a, b))),
            ([every(("iff", a, b)), at(b)], at(a)),
            ([every(("not", a)), at(a)], closed),
            ([every(("imp", a, ("and", b, c))), at(a)], at(c)),
        ]
    premises, goal = rng.choice(laws)
    for premise in premises:
        statement.suppose(premise)
    return goal
