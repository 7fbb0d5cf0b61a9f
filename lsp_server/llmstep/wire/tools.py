"""What each tool of the MCP server takes."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from llmstep.wire.bounds import Number, Text

Count = Annotated[int, Number(1, 2**31 - 1)]


@attrs.frozen(kw_only=True)
class Place:
    """A position in a Lean file."""

    file: Annotated[str, Text(max_length=4096, blank=False, control=False)]
    """Path of a Lean file in the project, absolute or from its root."""
    line: Count
    """Line of the goal, from 1."""
    column: Count | None = None
    """Column, from 1, in UTF-16 units as editors count; without it the first `sorry` of the line is meant, else its
    first step."""


@attrs.frozen(kw_only=True)
class Check(Place):
    """A step to be judged at a position."""

    step: Annotated[str, Text(max_length=1 << 16, blank=False, control=False)]
    """The tactic to run at the goal, of one line or several: `simp [h]`."""


@attrs.frozen(kw_only=True)
class Suggest(Place):
    """A position at which steps are wanted."""

    prefix: Annotated[str, Text(max_length=4096, control=False)] | None = None
    """What every step starts with: `rw [`."""
    count: Annotated[int, Number(1, 256)] | None = None
    """Samples drawn from the model; without it those of the settings."""


@attrs.frozen(kw_only=True)
class Prove(Place):
    """A position at which a whole proof is wanted."""

    seconds: Annotated[float, Number(0.1, 3600)] = 60.0
    """Longest search, in seconds."""
    expansions: Annotated[int, Number(1, 10_000)] = 64
    """Most states of the proof that are expanded."""
    samples: Annotated[int, Number(1, 256)] = 16
    """Samples drawn from the model for each state."""
    tactics: Literal["model", "list", "both"] = "both"
    """Where steps come from: the model, a fixed list such as `simp` and `constructor`, or both."""


@attrs.frozen(kw_only=True)
class Premises(Place):
    """A position at which lemmas are wanted."""

    count: Annotated[int, Number(1, 100)] = 20
    """Most premises."""
