"""First-order terms and formulas as tuples, how Lean writes them, and one-sided unification.

Terms: ``("v", name)`` a variable or constant, ``("f", head, args)`` an application, ``("m", number)`` a hole.
Formulas: ``("at", head, args)``, ``("and" | "or" | "imp" | "iff", a, b)``, ``("not", a)``, ``("T",)``, ``("F",)``,
``("all" | "ex", name, type, body)``, ``("eq" | "ne", s, t)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Term: TypeAlias = tuple[Any, ...]
Formula: TypeAlias = tuple[Any, ...]
Bindings: TypeAlias = dict[int, Term]

TRUE: Formula = ("T",)
FALSE: Formula = ("F",)
_BINARY = {"and": ("∧", 35), "or": ("∨", 30), "imp": ("→", 25), "iff": ("↔", 20)}


def atom(head: str, *args: Term) -> Formula:
    return ("at", head, args)


def show_term(term: Term, tight: bool = False) -> str:
    """Lean text of a term; with ``tight`` an application stands in parentheses."""
    if term[0] == "v":
        return str(term[1])
    if term[0] == "m":
        return "_"
    text = " ".join([term[1], *(show_term(a, True) for a in term[2])])
    return f"({text})" if tight and term[2] else text


def show(formula: Formula, level: int = 0) -> str:
    """Lean text of a formula for a place that binds with ``level``."""
    kind = formula[0]
    if kind == "at":
        return show_term(("f", formula[1], formula[2]), level > 1000)
    if kind in ("T", "F"):
        return "True" if kind == "T" else "False"
    if kind == "not":
        return f"¬ {show(formula[1], 41)}" if level <= 40 else f"(¬ {show(formula[1], 41)})"
    if kind in ("eq", "ne"):
        text = f"{show_term(formula[1])} {'=' if kind == 'eq' else '≠'} {show_term(formula[2])}"
        return f"({text})" if level > 40 else text
    if kind in ("all", "ex"):
        sign, colon = ("∀", " : ") if kind == "all" else ("∃", " : ")
        text = f"{sign} {formula[1]}{colon}{formula[2]}, {show(formula[3])}"
        return f"({text})" if level > 0 else text
    sign, strength = _BINARY[kind]
    right = strength if kind != "iff" else strength + 1
    text = f"{show(formula[1], strength + 1)} {sign} {show(formula[2], right)}"
    return f"({text})" if level > strength else text


def substitute(thing: Any, name: str, value: Term) -> Any:
    """``thing`` (term or formula) with the free variable ``name`` replaced by ``value``."""
    if not isinstance(thing, tuple) or not thing:
        return thing
    if thing == ("v", name):
        return value
    if thing[0] in ("all", "ex") and thing[1] == name:
        return thing
    return tuple(substitute(part, name, value) if isinstance(part, tuple) else part for part in thing)


def replace(thing: Any, old: Term, new: Term) -> Any:
    """``thing`` with every occurrence of the term ``old`` replaced by ``new``."""
    if thing == old:
        return new
    if not isinstance(thing, tuple):
        return thing
    return tuple(replace(part, old, new) if isinstance(part, tuple) else part for part in thing)


def subterms(thing: Any) -> Iterator[Term]:
    """All terms in a term or formula, outermost first, from the left."""
    if not isinstance(thing, tuple) or not thing:
        return
    if thing[0] in ("v", "f"):
        yield thing
    for part in thing[1:]:
        if isinstance(part, tuple):
            if part and isinstance(part[0], tuple):
                for inner in part:
                    yield from subterms(inner)
            else:
                yield from subterms(part)


def free_names(thing: Any) -> set[str]:
    """Names of the variables, functions and predicates that occur."""
    if not isinstance(thing, tuple) or not thing:
        return set()
    found = {thing[1]} if thing[0] in ("v", "f", "at") else set()
    for part in thing[1:] if isinstance(thing[0], str) else thing:
        if isinstance(part, tuple):
            found |= free_names(part)
    if thing[0] in ("all", "ex"):
        found.discard(thing[1])
    return found


def resolve(thing: Any, bindings: Bindings) -> Any:
    """``thing`` with its bound holes filled, deeply."""
    if not isinstance(thing, tuple) or not thing:
        return thing
    if thing[0] == "m":
        return resolve(bindings[thing[1]], bindings) if thing[1] in bindings else thing
    return tuple(resolve(part, bindings) if isinstance(part, tuple) else part for part in thing)


def has_hole(thing: Any) -> bool:
    if not isinstance(thing, tuple) or not thing:
        return False
    return thing[0] == "m" or any(has_hole(part) for part in thing if isinstance(part, tuple))


def _occurs(hole: Term, thing: Any) -> bool:
    return thing == hole or (isinstance(thing, tuple) and any(_occurs(hole, part) for part in thing))


def unify(left: Any, right: Any, bindings: Bindings) -> Bindings | None:
    """Bindings that make the two equal, or None. Bound variables are compared by name after renaming."""
    if left == right:
        return bindings
    if not (isinstance(left, tuple) and isinstance(right, tuple)) or not left or not right:
        return None
    if left[0] == "m":
        if left[1] in bindings:
            return unify(bindings[left[1]], right, bindings)
        if right[0] not in ("v", "f", "m") or _occurs(left, resolve(right, bindings)):
            return None
        return {**bindings, left[1]: right}
    if right[0] == "m":
        return unify(right, left, bindings)
    if len(left) != len(right):
        return None
    if left[0] in ("all", "ex") and right[0] == left[0]:
        if left[2] != right[2]:
            return None
        fresh: Term = ("v", "\0" + left[1])
        return unify(substitute(left[3], left[1], fresh), substitute(right[3], right[1], fresh), bindings)
    for a, b in zip(left, right, strict=True):
        if isinstance(a, tuple):
            found = unify(a, b, bindings)
            if found is None:
                return None
            bindings = found
        elif a != b:
            return None
    return bindings
