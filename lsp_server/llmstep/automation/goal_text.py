"""The text of a goal: its hypotheses, the outermost operators of their types, and what binders bind."""

from __future__ import annotations

import functools
import itertools
import re
from typing import Final

from llmstep.lean.text import mask
from llmstep.lean.tokens import Token, outside, tokenize

_OPERATORS: Final = ("→", "↔", "∨", "∧", "=", "⊕", "×")
"""Infix operators, the loosest first."""
_REACHES_ON: Final = frozenset(("∀", "∃", "fun", "λ", "∑", "∏"))
"""What follows these is all inside of them."""
_BINDER: Final = re.compile(r"\A(?:∀|∃!?) *")
_NAMES: Final = re.compile(r"[^\W\d][\w'!?]*")
_ENTRY: Final = re.compile(r"\n(?=\S)")


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
    places = [each.start for each in _operators(kind) if each.text == operator]
    return [kind[start + 1 : end] for start, end in itertools.pairwise([-1, *places, len(kind)])]


def outermost(kind: str) -> str:
    """The outermost operator of a type; the text itself where it has none that matters here."""
    text = kind.strip()
    if text[:1] in {"∀", "∃"}:
        return text[0]
    found = {each.text for each in _operators(text)}
    other = "¬" if text.startswith("¬") else text
    return next((operator for operator in _OPERATORS if operator in found), other)


def without_brackets(kind: str) -> str:
    """The type without parentheses around all of it."""
    kind = kind.strip()
    while kind.startswith("(") and [each.text for each in _outside(kind)] == [")"]:
        kind = kind[1:-1].strip()
    return kind


def premise_of(target: str) -> tuple[list[str], str, str] | None:
    """What `intro` takes first from a target: names of variables, or the type of a premise, and what is left.

    None where there is nothing to introduce.
    """
    target = target.strip()
    operator = outermost(target)
    if operator == "∀":
        names, rest = binder_of(target)
        return (names, "", rest) if rest else None
    if operator == "¬":
        return [], target[1:], "False"
    if operator != "→":
        return None
    at = next(each.start for each in _operators(target) if each.text == "→")
    return [], target[:at], target[at + 1 :]


def binder_of(kind: str) -> tuple[list[str], str]:
    """The names that `∀ x y, p` or `∃ x y, p` binds, and its body; the body is empty where the text has none."""
    text = _BINDER.sub("", kind.strip(), count=1)
    comma = next((each.start for each in _outside(text) if each.text == ","), len(text))
    return _bound(text[:comma]), text[comma + 1 :]


@functools.lru_cache(maxsize=64)
def _outside(text: str) -> tuple[Token, ...]:
    """The tokens outside of brackets."""
    return tuple(outside(tokenize(mask(text), 0, len(text))))


def _operators(text: str) -> list[Token]:
    """The operators outside of brackets and of binders."""
    before = itertools.takewhile(lambda each: each.text not in _REACHES_ON, _outside(text))
    return [each for each in before if each.text in _OPERATORS]


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
