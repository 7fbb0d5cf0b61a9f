"""Which of Lean's own tactics are tried at a goal, and how likely each is to be the step that a user wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from llmstep.automation.shaped import LeanTactic, shaped
from llmstep.types import Goal

_CLOSERS: Final = {
    "rfl": 0.97,
    "assumption": 0.96,
    "trivial": 0.95,
    "contradiction": 0.95,
    "omega": 0.93,
    "positivity": 0.92,
    "ring": 0.92,
    "norm_num": 0.9,
    "linarith": 0.9,
    "decide": 0.86,
    "simp": 0.85,
    "tauto": 0.82,
    "simp_all": 0.8,
    "bound": 0.8,
    "field_simp": 0.6,
    "aesop": 0.76,
    "grind": 0.74,
    "nlinarith": 0.7,
    "infer_instance": 0.7,
}
"""Tactics without arguments that close goals, cheap ones first. Some exist in Mathlib only."""
_SEARCHES: Final = {"exact?": 0.9, "simp?": 0.75, "rw?": 0.3, "apply?": 0.3, "aesop?": 0.5}
"""Tactics that search the library, the slowest last."""
_STEPS: Final = {"constructor": 0.35, "ext": 0.35, "norm_num at *": 0.2, "push_neg": 0.25, "split": 0.4}
"""Tactics without arguments that take a goal apart."""

DEFAULT_TACTICS: Final = (*_CLOSERS, *_STEPS, *_SEARCHES)
"""What `automationTactics` means while it is empty."""
_UNKNOWN_CHANCE: Final = 0.5
"""Of a tactic that the user has named."""
_MAX_LENGTH: Final = 48
"""Most tactics for one goal."""


def tactics_for(goal: Goal, wanted: Sequence[str] = (), prefix: str = "") -> list[LeanTactic]:
    """The tactics to try at a goal, cheap ones first, searches last.

    Args:
        wanted: The user's own list; empty means `DEFAULT_TACTICS` and what the goal's shape suggests.
        prefix: Only tactics that begin with it, and searches, whose proposals may.
    """
    named = [_tactic(text) for text in wanted or DEFAULT_TACTICS]
    plain = [tactic for tactic in named if not tactic.search]
    if not wanted:
        closers = [tactic for tactic in plain if tactic.text in _CLOSERS]
        steps = [tactic for tactic in plain if tactic.text not in _CLOSERS]
        plain = [*closers, *shaped(goal.text), *steps]
    start = prefix.strip()
    distinct = {tactic.text: tactic for tactic in reversed(plain) if tactic.text.startswith(start)}
    return [*list(reversed(distinct.values()))[:_MAX_LENGTH], *(tactic for tactic in named if tactic.search)]


def _tactic(text: str) -> LeanTactic:
    if text in _SEARCHES or text.split()[0].endswith("?"):
        return LeanTactic(text, _SEARCHES.get(text, _UNKNOWN_CHANCE), search=True)
    return LeanTactic(text, _CLOSERS.get(text) or _STEPS.get(text) or _UNKNOWN_CHANCE)
