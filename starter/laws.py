"""Laws of propositional logic, each as what is given and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.formulas import FALSE, TRUE

if TYPE_CHECKING:
    from starter.formulas import Formula


def propositional_laws(a: Formula, b: Formula, c: Formula, d: Formula) -> list[tuple[Formula, Formula]]:
    """Pairs of a premise and a consequence over four formulas."""

    def n(formula: Formula) -> Formula:
        return ("not", formula)

    return [
        (("and", a, b), ("and", b, a)),
        (("or", a, b), ("or", b, a)),
        (("iff", a, b), ("iff", b, a)),
        (("and", a, ("and", b, c)), ("and", ("and", a, b), c)),
        (("and", ("and", a, b), c), ("and", a, ("and", b, c))),
        (("or", a, ("or", b, c)), ("or", ("or", a, b), c)),
        (("or", ("or", a, b), c), ("or", a, ("or", b, c))),
        (("and", a, ("or", b, c)), ("or", ("and", a, b), ("and", a, c))),
        (("or", ("and", a, b), ("and", a, c)), ("and", a, ("or", b, c))),
        (("or", a, ("and", b, c)), ("and", ("or", a, b), ("or", a, c))),
        (("imp", a, b), ("imp", n(b), n(a))),
        (a, n(n(a))),
        (n(("or", a, b)), ("and", n(a), n(b))),
        (("and", n(a), n(b)), n(("or", a, b))),
        (("or", n(a), n(b)), n(("and", a, b))),
        (n(n(n(a))), n(a)),
        (("and", ("imp", a, b), ("imp", b, c)), ("imp", a, c)),
        (("imp", ("and", a, b), c), ("imp", a, ("imp", b, c))),
        (("imp", a, ("imp", b, c)), ("imp", ("and", a, b), c)),
        (("and", a, n(a)), b),
        (FALSE, a),
        (("and", a, b), a),
        (("and", a, b), b),
        (a, ("or", a, b)),
        (b, ("or", a, b)),
        (("or", a, a), a),
        (("and", ("or", a, b), n(a)), b),
        (("and", ("or", a, b), n(b)), a),
        (("iff", a, b), ("imp", a, b)),
        (("iff", a, b), ("imp", b, a)),
        (("and", ("imp", a, b), ("imp", b, a)), ("iff", a, b)),
        (("and", ("imp", a, c), ("imp", b, c)), ("imp", ("or", a, b), c)),
        (("imp", ("or", a, b), c), ("and", ("imp", a, c), ("imp", b, c))),
        (a, ("imp", b, a)),
        (n(a), ("imp", a, b)),
        (("imp", a, n(b)), ("imp", b, n(a))),
        (("iff", a, b), ("iff", n(a), n(b))),
        (("imp", a, ("imp", a, b)), ("imp", a, b)),
        (("or", n(a), b), ("imp", a, b)),
        (("and", a, n(b)), n(("imp", a, b))),
        (n(("and", a, b)), ("imp", a, n(b))),
        (("and", ("or", a, b), ("and", ("imp", a, c), ("imp", b, d))), ("or", c, d)),
        (("imp", a, FALSE), n(a)),
        (("and", a, b), ("or", a, c)),
        (("or", a, ("and", a, b)), a),
        (("imp", ("or", a, n(a)), FALSE), FALSE),
        (("and", ("iff", a, b), ("iff", b, c)), ("iff", a, c)),
        (("or", a, FALSE), a),
        (("and", a, TRUE), a),
        (TRUE, ("or", a, TRUE)),
        (("imp", a, b), ("imp", ("and", a, c), ("and", b, c))),
        (("imp", a, b), ("imp", ("or", a, c), ("or", b, c))),
    ]
