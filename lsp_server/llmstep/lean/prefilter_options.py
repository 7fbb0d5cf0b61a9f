"""Options in candidates: which `set_option … in` may set, and that those of tactics are no programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmstep.lean import vocabulary
from llmstep.lean.step_words import words
from llmstep.lean.tokens import CLOSING, OPENING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.lean.lexer import Lexeme

_LARGEST: Final = 1_000_000_000
_BEGINS: Final = frozenset({";", "<;>", "·", "by", "try", "repeat", "first", "all_goals", "any_goals"})
"""Behind these stands a tactic and no term."""
_WITH_OPTIONS: Final = words(
    "simp simp_all simpa dsimp simp_arith simp_rw rw rwa erw nth_rw rewrite decide omega grind norm_num norm_num1 ring "
    "ring_nf linarith nlinarith positivity aesop apply solve_by_elim field_simp push_cast norm_cast exact_mod_cast "
    "congr ext unfold split apply_rules push_neg gcongr conv cases induction exact? apply? simp?"
)
"""Tactics with options, which are known as such behind anything."""
_VALUE_MARKS: Final = frozenset({"{", "}", "[", "]", "(", ")", ",", ":=", ":", ".", "..", "-"})


def refused_option(tokens: Sequence[Lexeme]) -> str | None:
    """The first `set_option` that is none of the allowed ones, or that is a command."""
    for index, token in enumerate(tokens):
        if token.text != "set_option":
            continue
        name = tokens[index + 1].text if index + 1 < len(tokens) else ""
        value = tokens[index + 2].text if index + 2 < len(tokens) else ""
        if index + 3 >= len(tokens) or tokens[index + 3].text != "in":
            return "It is not a step: `set_option` begins a command."
        if not _allowed(name, value):
            return f"It sets the option `{name}` to `{value}`, which a step may not set."
    return None


def _allowed(name: str, value: str) -> bool:
    minimum, maximum = vocabulary.OPTIONS.get(name, (1, 0))
    if name.partition(".")[0] in vocabulary.OPTION_FAMILIES and "." in name:
        minimum, maximum = 0, _LARGEST
    if value in {"true", "false"}:
        return (minimum, maximum) in {(0, 0), (0, _LARGEST)}
    return (
        value.isascii() and value.isdecimal() and len(value) < 12 and minimum <= int(value) <= maximum and maximum > 0
    )


def computed_option(tokens: Sequence[Lexeme]) -> str | None:
    """The first option of a tactic whose value is more than a fixed one: Lean would compile and run it."""
    for index, token in enumerate(tokens):
        if token.text != "(" or index + 2 >= len(tokens) or tokens[index + 2].text != ":=":
            continue
        name = tokens[index + 1].text
        if name in vocabulary.NOT_EVALUATED or not (name == "config" or _of_tactic(tokens, index)):
            continue
        if not _fixed(tokens[index + 3 : _closing(tokens, index)]):
            return f"It computes the value of an option: `({name} := …)` takes fixed values only."
    return None


def _of_tactic(tokens: Sequence[Lexeme], index: int) -> bool:
    """Whether the bracket at `index` stands where a tactic has its options: behind its name and other options."""
    at = index - 1
    while at > 0:
        if tokens[at].text == ")":
            while at > 0 and not (tokens[at].text == "(" and tokens[at + 2].text == ":="):
                at -= 1
            at -= 1
        elif tokens[at - 1].text in {"+", "-"}:
            at -= 2
        elif tokens[at].text in {"only", "!", "?"}:
            at -= 1
        else:
            break
    if at < 0 or not tokens[at].is_name:
        return False
    return tokens[at].text in _WITH_OPTIONS or at == 0 or tokens[at - 1].text in _BEGINS


def _closing(tokens: Sequence[Lexeme], index: int) -> int:
    depth = 0
    for at in range(index, len(tokens)):
        depth += (tokens[at].text in OPENING) - (tokens[at].text in CLOSING)
        if depth == 0:
            return at
    return len(tokens)


def _fixed(value: Sequence[Lexeme]) -> bool:
    """Whether a value is made of numbers, flags, constructors, lists and fields, and applies no function."""
    for number, token in enumerate(value):
        text = token.text
        after = value[number + 1].text if number + 1 < len(value) else ""
        if token.is_name:
            dotted = number > 0 and value[number - 1].text == "." and token.glued
            plain = dotted or text in vocabulary.FIXED_VALUES or text[:1].isupper() or "." in text or after == ":="
            applied = after[:1].isalnum() or after in {"(", "fun", "λ", '"'}
            if not plain or (applied and text not in vocabulary.FIXED_VALUES):
                return False
        elif not (text.isdecimal() or text == '"' or text in _VALUE_MARKS):
            return False
    return True
