"""The text of a goal: its hypotheses, the outermost operators of their types, and what binders bind."""

from __future__ import annotations

import functools
import re
from typing import Final

from llmstep.lean.text import mask
from llmstep.lean.tokens import CLOSING, OPENING, tokenize

_OPERATORS: Final = ("→", "↔", "∨", "∧", "=", "⊕", "×")
"""Infix operators, the loosest first."""
_BINDER: Final = re.compile(r"(?:∀|∃!?) *")
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


def without_brackets(kind: str) -> str:
    """The type without parentheses around all of it."""
    kind = kind.strip()
    while kind.startswith("(") and kind.endswith(")") and not _outside_of_brackets(kind):
        depth = 0
        for index, character in enumerate(kind):
            depth += (character == "(") - (character == ")")
            if depth == 0 and index < len(kind) - 1:
                return kind
        kind = kind[1:-1].strip()
    return kind


def premise_of(target: str) -> tuple[list[str], str, str] | None:
    """What `intro` takes first from a target: names of variables, or the type of a premise, and what is left.

    None where there is nothing to introduce.
    """
    target = target.strip()
    if target.startswith("∀"):
        names, rest = binder_of(target)
        return (names, "", rest) if rest else None
    if target.startswith("¬") and outermost(target) == "¬":
        return [], target[1:], "False"
    if outermost(target) != "→":
        return None
    at = next(offset for operator, offset in _outside_of_brackets(target) if operator == "→")
    return [], target[:at], target[at + 1 :]


def binder_of(kind: str) -> tuple[list[str], str]:
    """The names that `∀ x y, p` or `∃ x y, p` binds, and its body; the body is empty where the text has none."""
    found = _BINDER.match(kind.strip())
    text = kind.strip()[found.end() if found else 0 :]
    depth = 0
    for index, character in enumerate(text):
        depth += (character in "([{⟨⦃") - (character in ")]}⟩⦄")
        if character == "," and depth == 0:
            return _bound(text[:index]), text[index + 1 :]
    return _bound(text), ""


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
