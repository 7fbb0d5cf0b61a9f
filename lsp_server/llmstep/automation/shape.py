"""What a goal looks like, as far as its text says: what can be introduced, and what its hypotheses are made of."""

from __future__ import annotations

import functools
import re
from typing import Final

import attrs

from llmstep.lean.text import mask
from llmstep.lean.tokens import CLOSING, OPENING, tokenize

_OPERATORS: Final = ("→", "↔", "∨", "∧", "=")
"""Infix operators, the loosest first."""
_BINDER: Final = re.compile(r"∀ +")
_NAMES: Final = re.compile(r"[^\W\d][\w'!?]*")
_ENTRY: Final = re.compile(r"\n(?=\S)")
_TELLING: Final = frozenset({*_OPERATORS, "∀", "∃", "¬", "Nat", "ℕ"})
"""Operators and types of hypotheses that suggest a step."""
_MOST_HYPOTHESES: Final = 6
_SUBSCRIPTS: Final = "₁₂₃₄₅₆₇₈₉"


@attrs.frozen
class Hypothesis:
    """A hypothesis, as far as its text says."""

    name: str
    operator: str
    """Outermost operator of its type, or the type where it has none."""
    bound: str
    """The first variable that its type binds; empty where it binds none."""


@attrs.frozen
class Shape:
    """The outermost operators of a goal."""

    names: frozenset[str]
    """Names of all hypotheses, none of which is fresh."""
    target: str
    """Outermost operator of the target: one of `→ ↔ ∨ ∧ = ∀ ∃ ¬`, or its text where it has none."""
    introduced: tuple[str, ...]
    """Fresh names for what `intro` takes from the target."""
    hypotheses: tuple[Hypothesis, ...]
    """The last of those that a tactic can take apart or use."""

    @classmethod
    def of(cls, goal: str) -> Shape:
        """The shape of a goal as Lean prints it."""
        hypotheses, target = entries_of(goal)
        names = frozenset(name for name, _ in hypotheses)
        made = [Hypothesis(name, outermost(kind), _first_bound(kind)) for name, kind in hypotheses]
        telling = [each for each in made if each.operator in _TELLING]
        return cls(names, outermost(target), _introduced(target, names), tuple(telling[-_MOST_HYPOTHESES:]))

    def fresh(self, name: str, number: int = 0) -> str:
        """The `number`th name that begins with `name` and does not occur in the goal."""
        return _fresh(name, self.names, number)


def entries_of(goal: str) -> tuple[list[tuple[str, str]], str]:
    """The hypotheses of a goal that have a name, with their types, and its target."""
    entries = _ENTRY.split(goal.strip())
    target = next((entry[1:].strip() for entry in entries if entry.startswith("⊢")), "")
    hypotheses: list[tuple[str, str]] = []
    for entry in entries:
        names, colon, kind = entry.partition(" : ")
        if colon and not entry.startswith("⊢") and ":=" not in kind:
            hypotheses += [(name, kind) for name in names.split() if _NAMES.fullmatch(name)]
    return hypotheses, target


def parts_at(kind: str, operator: str) -> list[str]:
    """The parts of a type at an operator that is its outermost; the type alone where that is another."""
    if outermost(kind) != operator:
        return [kind]
    places = [offset for found, offset in _outside_of_brackets(kind) if found == operator]
    ends = [*places, len(kind)]
    return [kind[start:end] for start, end in zip([0, *(place + 1 for place in places)], ends, strict=True)]


def outermost(kind: str) -> str:
    """The outermost operator of a type; the text itself where it has none that matters here."""
    text = kind.strip()
    if text[:1] in {"∀", "∃"}:
        return text[0]
    found = {operator for operator, _ in _outside_of_brackets(text)}
    for operator in _OPERATORS:
        if operator in found:
            return operator
    return "¬" if text.startswith("¬") else text


@functools.lru_cache(maxsize=64)
def _outside_of_brackets(text: str) -> tuple[tuple[str, int], ...]:
    """The operators outside of brackets and of binders, with their offsets."""
    masked = mask(text)
    depth = 0
    found: list[tuple[str, int]] = []
    for token in tokenize(masked, 0, len(masked)):
        depth += (token.text in OPENING) - (token.text in CLOSING)
        if depth == 0 and token.text in {"∀", "∃", "fun", "λ", "∑", "∏"}:
            break  # what a binder reaches over is all inside of it
        if depth == 0 and token.text in _OPERATORS:
            found.append((token.text, token.start))
    return tuple(found)


def _introduced(target: str, taken_names: frozenset[str]) -> tuple[str, ...]:
    """Names for the variables and premises in front of the conclusion."""
    names: list[str] = []
    rest = target
    taken = set(taken_names)
    while len(names) < 8:
        rest = rest.strip()
        binder = _BINDER.match(rest)
        if binder:
            head, comma, rest = _until_comma(rest[binder.end() :])
            if not comma:
                break
            for name in _bound(head):
                names.append(_fresh(name, frozenset(taken)))
                taken.add(names[-1])
            continue
        if rest.startswith("¬"):
            names.append(_fresh("h", frozenset(taken)))
            break
        if outermost(rest) != "→":
            break
        names.append(_fresh("h", frozenset(taken)))
        taken.add(names[-1])
        at = next(offset for operator, offset in _outside_of_brackets(rest) if operator == "→")
        rest = rest[at + 1 :]
    return tuple(names)


def _first_bound(kind: str) -> str:
    """`x` of `∃ x, p x`."""
    bound = _bound(_until_comma(kind.strip()[1:])[0]) if kind.strip()[:1] in {"∃", "∀"} else []
    return bound[0] if bound else ""


def _until_comma(text: str) -> tuple[str, str, str]:
    """The binders up to the comma outside of brackets, and what follows."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character in "([{⟨⦃") - (character in ")]}⟩⦄")
        if character == "," and depth == 0:
            return text[:index], ",", text[index + 1 :]
    return text, "", ""


def _bound(head: str) -> list[str]:
    """The names that binders bind: `x y`, `(x y : T) {z : U}`, `x ∈ s`, `ε > 0`; the last two add a premise."""
    groups = re.findall(r"[(\[{⦃]([^)\]}⦄]*)[)\]}⦄]", head)
    if groups:
        return [name for group in groups for name in _NAMES.findall(group.partition(":")[0])]
    before = head.partition(":")[0]
    relation = re.search(r"[∈<>≤≥⊆≠]", before)
    if relation:
        return [*_NAMES.findall(before[: relation.start()]), "h"]
    return _NAMES.findall(before)


def _fresh(name: str, taken: frozenset[str], number: int = 0) -> str:
    """`name`, or `name₁` and so on where it is taken."""
    candidates = [name, *(name + subscript for subscript in _SUBSCRIPTS)]
    free = [each for each in candidates if each not in taken]
    return free[number] if number < len(free) else f"{name}{len(taken)}_{number}"
