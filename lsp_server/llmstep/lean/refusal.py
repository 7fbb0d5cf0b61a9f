"""What is refused before Lean is asked: text that is no step, that proves nothing, or that would run code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llmstep.lean.commands import COMMAND
from llmstep.lean.text import mask
from llmstep.lean.tokens import CLOSING, OPENING, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmstep.lean.place import Site
    from llmstep.lean.tokens import Token

ADMITTING: Final = frozenset({"sorry", "admit", "sorryAx", "stop"})
"""Words that close a goal without a proof."""
_RUNNING: Final = frozenset({"run_tac", "by_elab", "run_elab", "run_meta", "run_cmd", "eval%", "include_str"})
"""Words that run code or read files while Lean elaborates."""
_MAY_ADMIT: Final = re.compile(r".*\?|hint|polyrith")
"""Tactics that search, and that may close the goal by `sorryAx` when they only have proposals."""
_BINDING: Final = frozenset({"intro", "intros", "rintro", "fun", "λ", "have", "let", "obtain", "set", "generalize"})
_TACTIC_FOLLOWS: Final = frozenset({";", "<;>", "·", "by", "|", "=>"})


def refusal(candidate: str, site: Site, hypotheses: Iterable[str] = ()) -> str | None:
    """Why a candidate cannot count, as one sentence; None where Lean must decide.

    Args:
        hypotheses: Names in the goal, which hide a theorem of the same name.
    """
    masked = mask(candidate).strip()
    tokens = list(tokenize(masked, 0, len(masked)))
    if not tokens:
        return "It is empty."
    if command := _command(masked):
        return f"It is not a step: `{command}` begins a command."
    words = {token.text for token in tokens}
    if admitting := sorted(words & ADMITTING):
        return f"It uses `{admitting[0]}`, which proves nothing."
    if running := sorted(words & _RUNNING):
        return f"It uses `{running[0]}`, which runs code while Lean checks it."
    if "llmstep" in words or "llmstep?" in words:
        return "It calls `llmstep` again."
    if closing := _unopened(tokens):
        return f"It closes a bracket that it has not opened: `{closing}`."
    if site.short and _names_itself(tokens, site, set(hypotheses)):
        return f"It uses the theorem itself: `{site.short}`."
    return None


def may_admit(candidate: str) -> bool:
    """Whether it holds a tactic that may close the goal by `sorryAx` without naming it."""
    masked = mask(candidate)
    return any(token.is_name and _MAY_ADMIT.fullmatch(token.text) for token in tokenize(masked, 0, len(masked)))


def may_name_itself(candidate: str, site: Site) -> bool:
    """Whether `h.foo` in it may mean the theorem `Bar.foo` itself, which depends on the type of `h`."""
    last = site.short.rpartition(".")[2]
    masked = mask(candidate)
    return bool(last) and any(
        "." in token.text and token.text.rpartition(".")[2] == last for token in tokenize(masked, 0, len(masked))
    )


def admits(text: str) -> bool:
    """Whether a text closes goals by words that prove nothing."""
    masked = mask(text)
    return any(token.text in ADMITTING for token in tokenize(masked, 0, len(masked)))


def hypothesis_names(goal: str) -> set[str]:
    """The names in front of the colons of a goal."""
    names: set[str] = set()
    for line in goal.split("⊢")[0].splitlines():
        before, colon, _ = line.partition(" :")
        if colon and not line.startswith(" "):
            names.update(before.split())
    return names


def _command(masked: str) -> str | None:
    """The word that begins a command in a candidate; `open … in` and `set_option … in` are steps as well."""
    for command in COMMAND.finditer(masked):
        line = masked[command.end() :].partition("\n")[0]
        if command.group("margin") not in {"open", "set_option"} or " in" not in line:
            return command.group().split()[-1]
    return None


def _unopened(tokens: Sequence[Token]) -> str | None:
    """The first closing bracket without its partner."""
    expected: list[str] = []
    for token in tokens:
        if token.text in OPENING:
            expected.append(OPENING[token.text])
        elif token.text in CLOSING and (not expected or expected.pop() != token.text):
            return token.text
    return None


def _names_itself(tokens: Sequence[Token], site: Site, bound: set[str]) -> bool:
    parts = site.declaration.split(".")
    own = {".".join(parts[index:]) for index in range(len(parts))}
    binding = False
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ";"
        if token.text in _BINDING:
            binding = True
        elif token.text in {":=", "=>", ":", ";"} or token.leads:
            binding = False
        elif binding and token.is_name:
            bound.add(token.text)
        tactic = token.leads or before in _TACTIC_FOLLOWS
        if token.text.removeprefix("_root_.") in own and not tactic and token.text not in bound:
            return True
    return False
