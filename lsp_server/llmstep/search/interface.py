"""What is asked of those who look for proofs, and what they answer: an edit that Lean accepts, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from lsprotocol.types import TextEdit

    from llmstep.lean.insertion_points import InsertionPoint
    from llmstep.search.proposals import Tactics
    from llmstep.types import Goal

Outcome = Literal["proved", "partial", "exhausted", "expansions", "seconds", "rounds", "tokens", "refused"]
"""How an attempt ended: with a proof, with a part of one, or why without one."""


@attrs.frozen
class Partial:
    """A proof except for some goals."""

    proof: str
    """With `sorry` for each of them; without the indentation of its place."""
    edit: TextEdit
    """Puts it into the file."""
    goals: tuple[str, ...]
    """The goals that are left, as Lean prints them; the empty text where it gave none."""


@attrs.frozen
class Attempt:
    """What came of the work at one goal."""

    point: InsertionPoint
    goal: Goal
    steps: tuple[str, ...] | None
    """The proof; None when none was found."""
    proof: str | None
    """The same as one text, without the indentation of its place."""
    edit: TextEdit | None
    """Puts it into the file."""
    outcome: Outcome
    """`refused`: proofs were found, but in the whole file Lean has something against each."""
    expansions: int
    states: int
    """Number of distinct states seen."""
    seconds: float
    """Of everything, the loading of the model included."""
    model: str | None
    """The model that was asked; None with `list`."""
    tactics: Tactics
    strategy: str = "search"
    """The strategy that was followed: `search`, `write` or `sketch`."""
    rounds: int = 0
    """Answers of a model that writes whole proofs."""
    tokens: int = 0
    """Tokens that it wrote."""
    partial: Partial | None = None
    """With the outcome `partial`: what there is of a proof."""


def nothing_written(_text: str, _point: InsertionPoint) -> str:
    """For models that do not read the steps before."""
    return ""


@attrs.frozen
class Task:
    """A goal of a file."""

    uri: str
    text: str
    points: Sequence[InsertionPoint]
    """Where it may be; the first counts at which Lean has a goal. See `find_insertion_points`."""
    written: Callable[[str, InsertionPoint], str] = nothing_written
    """Gives the steps of the proof that stand before an insertion point of a text."""
