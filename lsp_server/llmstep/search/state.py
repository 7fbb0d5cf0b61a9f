"""When two tactic states are the same: up to the names of hypotheses and the numbers of metavariables.

A model names what it introduces in many ways, and each name would make a state of its own. What is compared is text, so
the rules are careful: names are replaced by their place in the goal's list of hypotheses, whole words only, and nothing
is reordered. Two states with one form differ in names only; two states that differ in more keep two forms.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_ENTRY: Final = re.compile(r"\n(?=\S)")
_TARGETS: Final = ("⊢", "|")
"""What the line of the target begins with; `|` in `conv`."""
_PART: Final = r"(?:«[^»\n]*»|[^\W\d][\w'!?]*)"
_NAME: Final = re.compile(r"«[^»\n]*»[^\s«]*|\S+")
_WORD: Final = re.compile(
    rf"""
    "(?:[^"\\]|\\.)*"                                           # a string
  | \?[mu]\.(?P<number>\d+)                                     # a metavariable without a name of its own
  | \?{_PART}✝?[⁰¹²³⁴⁵⁶⁷⁸⁹]*                                    # one with a name
  | (?P<dot>\.?)(?P<head>{_PART})(?P<dagger>✝[⁰¹²³⁴⁵⁶⁷⁸⁹]*)?(?P<rest>(?:\.(?:{_PART}|\d+))*)
    """,
    re.VERBOSE | re.DOTALL,
)


def canonical(goals: Sequence[str]) -> str:
    """A text that two states share only when they differ in nothing but names; not for reading.

    Args:
        goals: As Lean prints them, main first. A `case` line does not count.
    """
    numbers: dict[str, int] = {}
    return "\n\n".join(_canonical_goal(goal, numbers) for goal in goals)


def _canonical_goal(goal: str, numbers: dict[str, int]) -> str:
    """
    Args:
        numbers: Of the metavariables that came so far, which goals share.
    """
    entries = _entries(goal)
    names = {name: f"\0{place}" for place, name in enumerate(hypotheses(goal))}

    def replaced(match: re.Match[str]) -> str:
        if match["number"]:
            return f"?\0{numbers.setdefault(match[0], len(numbers))}"
        if not match["head"] or match["dot"]:
            return match[0]
        dagger = match["dagger"] or ""
        new = names.get(match["head"] + dagger)
        if new is None:
            return match[0]
        return new + ("✝" if dagger else "") + match["rest"]

    return "\n".join(_WORD.sub(replaced, entry) for entry in entries)


def hypotheses(goal: str) -> list[str]:
    """The names of a goal's hypotheses and variables, in their order; inaccessible ones end with `✝`."""
    names: list[str] = []
    for entry in _entries(goal):
        before, colon, _ = entry.partition(" :")
        if entry.startswith(_TARGETS) or not colon:
            break
        names += _NAME.findall(before)
    return list(dict.fromkeys(names))


def _entries(goal: str) -> list[str]:
    """The lines of a goal without its `case` line, continuation lines with the line that they continue."""
    entries = _ENTRY.split(goal.strip())
    return entries[1:] if len(entries) > 1 and re.match(r"case\s+\S+$", entries[0]) else entries
