"""The words that no candidate may hold (`words.toml`), and the options that it may set and give to tactics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from llmstep.lean.step_words import TABLES, sets
from llmstep.lean.tokens import CLOSING, OPENING

if TYPE_CHECKING:
    from llmstep.lean.lexer import Lexeme

_REFUSED: Final = sets("refused")
_OPTIONS: Final = sets("options")

ADMITTING: Final = _REFUSED["admitting"]
RUNNING: Final = _REFUSED["running"]
OUTSIDE: Final = _REFUSED["outside"]
NATIVE: Final = _REFUSED["native"]
UNSOUND: Final = _REFUSED["unsound"]
COMMANDS: Final = _REFUSED["commands"]
SOFT_COMMANDS: Final = _REFUSED["soft_commands"]
_SETTABLE: Final[dict[str, list[int]]] = TABLES["settable"]
_LARGEST: Final = 1_000_000_000
_VALUE_ENDS: Final = frozenset({"", "}", "]", ")", ",", ":=", ":", "with"})
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
    family, dot, _ = name.partition(".")
    minimum, maximum = _SETTABLE.get(name, [1, 0])
    if dot and family in _OPTIONS["families"]:
        minimum, maximum = 0, _LARGEST
    if value in {"true", "false"}:
        return minimum == 0
    is_number = value.isascii() and value.isdecimal() and len(value) < 12
    return is_number and maximum > 0 and minimum <= int(value) <= maximum


def computed_option(tokens: Sequence[Lexeme]) -> str | None:
    """The first option of a tactic whose value is more than a fixed one: Lean would compile and run it."""
    for index, token in enumerate(tokens):
        if token.text != "(" or index + 2 >= len(tokens) or tokens[index + 2].text != ":=":
            continue
        name = tokens[index + 1].text
        if name in _OPTIONS["not_evaluated"] or not (name == "config" or _of_tactic(tokens, index)):
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
    return tokens[at].text in _OPTIONS["with_options"] or at == 0 or tokens[at - 1].text in _OPTIONS["begins"]


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
            plain = dotted or text in _OPTIONS["fixed_values"] or text[:1].isupper() or "." in text or after == ":="
            if not plain or not (after in _VALUE_ENDS or text in _OPTIONS["constructors"]):
                return False
        elif not (text.isdecimal() or text == '"' or text in _VALUE_MARKS):
            return False
    return True
