"""A training pair, and what a source of pairs gave."""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

import attrs

Part = Literal["train", "valid", "test"]

_GIVEN_UP = re.compile(r"(?<![\w.'])(?:sorry|admit)(?![\w'])")


@attrs.frozen
class Pair:
    """A tactic state as Lean prints it, and the tactic that was run there."""

    goal: str
    """All goals, main first, joined by blank lines."""
    tactic: str
    theorem: str
    """Full name of the theorem, or what stands for it: pairs of one theorem never come into different parts."""
    part: Part | None = None
    """The part of the data that it belongs to, where the source says so."""
    file: str = attrs.field(default="", repr=False)
    """The text of the file with the step, with LF line breaks, shared by its pairs; empty where it is not known."""
    at: int = 0
    """Offset of the step's first character in `file`."""

    @property
    def file_context(self) -> str:
        """What stands before the step in its file; empty where it is not known."""
        return self.file[: self.at]


@attrs.define
class Found:
    """The pairs of a source, and how much was left out for which reason."""

    pairs: list[Pair] = attrs.field(factory=list)
    left_out: Counter[str] = attrs.field(factory=Counter)

    def add(self, pair: Pair, max_length: int) -> None:
        """Takes a pair, unless no model should learn it.

        Args:
            max_length: Most characters of a tactic.
        """
        reason = unfit(pair.goal, pair.tactic, max_length)
        if reason:
            self.left_out[reason] += 1
        else:
            self.pairs.append(pair)

    def extend(self, other: Found) -> None:
        """Takes everything of another source."""
        self.pairs += other.pairs
        self.left_out += other.left_out


def unfit(goal: str, tactic: str, max_length: int) -> str:
    """Why a pair is no example of a step; empty when it is one."""
    if "⊢" not in goal:
        return "steps without a goal"
    if not tactic.strip():
        return "empty steps"
    if _GIVEN_UP.search(tactic):
        return "steps with sorry"
    if len(tactic) > max_length:
        return f"steps longer than {max_length} characters"
    return ""
