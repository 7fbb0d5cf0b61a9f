"""What each tool of the MCP server takes and answers."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from llmstep.wire.bounds import Prefix, Samples, number, text
from llmstep.wire.steps import AnyVerdict, ProofOutcome, Rejected, Step

Count = Annotated[int, number(1, 2**31 - 1)]


@attrs.frozen(kw_only=True)
class Place:
    """A position in a Lean file."""

    file: Annotated[str, text(max_length=4096, blank=False, control=False)]
    """Path of a Lean file in the project, absolute or from its root."""
    line: Count
    """Line of the goal, from 1."""
    column: Count | None = None
    """Column, from 1, in UTF-16 units as editors count; without it the first `sorry` of the line is meant, else its
    first step."""


@attrs.frozen(kw_only=True)
class Check(Place):
    """A step to be judged at a position."""

    step: Annotated[str, text(max_length=1 << 16, blank=False, control=False)]
    """The tactic to run at the goal, of one line or several: `simp [h]`."""


@attrs.frozen(kw_only=True)
class Suggest(Place):
    """A position at which steps are wanted."""

    prefix: Prefix | None = None
    """What every step starts with: `rw [`."""
    count: Samples | None = None
    """Samples drawn from the model; without it those of the settings."""


@attrs.frozen(kw_only=True)
class Prove(Place):
    """A position at which a whole proof is wanted."""

    seconds: Annotated[float, number(0.1, 3600)] = 60.0
    """Longest search, in seconds."""
    expansions: Annotated[int, number(1, 10_000)] = 64
    """Most states of the proof that are expanded."""
    samples: Samples = 16
    """Samples drawn from the model for each state."""
    tactics: Literal["model", "list", "both"] = "both"
    """Where steps come from: the model, a fixed list such as `simp` and `constructor`, or both."""


@attrs.frozen(kw_only=True)
class Premises(Place):
    """A position at which lemmas are wanted."""

    count: Annotated[int, number(1, 100)] = 20
    """Most premises."""


@attrs.frozen(kw_only=True)
class Spot:
    """A position."""

    line: int
    """From 1."""
    column: int
    """From 1, in UTF-16 units."""


@attrs.frozen(kw_only=True)
class Span:
    """A part of the file; the end is exclusive."""

    start: Spot
    end: Spot


@attrs.frozen(kw_only=True)
class Edit:
    """What puts it into the file: the range is replaced by the text."""

    range: Span
    new_text: str
    """With the indentation of its place."""


@attrs.frozen(kw_only=True)
class Answer:
    """What every tool says."""

    goal: str
    """The goal at the position, as Lean prints it: hypotheses, then a line with ⊢."""


@attrs.frozen(kw_only=True)
class GoalAnswer(Answer):
    """The goals at a position."""

    others: tuple[str, ...]
    """The goals behind it."""
    declaration: str
    """The theorem that it belongs to; empty where it has no name."""
    place: Span
    """What a step at this goal would replace; empty where it would be inserted."""


@attrs.frozen(kw_only=True)
class CheckAnswer(Answer):
    """What Lean says about a step."""

    verdict: AnyVerdict
    """The main goal is gone; the step runs and leaves other goals; Lean refuses the step, it changes nothing or is no
    proof; or there is no verdict."""
    remaining_goals: tuple[str, ...]
    """The goals that are left, those behind the main goal included."""
    message: str
    """Why the step is invalid or has no verdict; empty otherwise."""
    edit: Edit


@attrs.frozen(kw_only=True)
class SuggestedStep(Step):
    """A step."""

    edit: Edit


@attrs.frozen(kw_only=True)
class SuggestAnswer(Answer):
    """Steps for the goal at a position."""

    model: str
    """The model that was asked."""
    elapsed_ms: float
    """Time of the whole work."""
    summary: str
    """How many steps came, and what Lean said about them."""
    suggestions: tuple[SuggestedStep, ...]
    """Best first."""
    rejected: tuple[Rejected, ...]
    """What Lean refused."""


@attrs.frozen(kw_only=True)
class ProveAnswer(Answer):
    """A proof of the goal at a position, accepted by Lean in the file, or why there is none."""

    outcome: ProofOutcome
    """proved; all but some goals; or no state is left to expand, the limit of expansions, of time, of rounds or of
    tokens is reached, or Lean refuses the proof that was found in the whole file."""
    proof: str | None
    """The steps, without the indentation of their place."""
    edit: Edit | None
    partial: str | None
    """With the outcome partial: the steps, with `sorry` for each goal that is left."""
    remaining_goals: tuple[str, ...]
    """With the outcome partial: the goals that are left."""
    expansions: int
    """States that were expanded."""
    seconds: float
    """Time of the whole work."""
    model: str | None
    """The model that was asked; null with the fixed list alone."""


@attrs.frozen(kw_only=True)
class NamedPremise:
    """A definition or lemma."""

    name: str
    """Full name."""
    code: str
    """How it is stated."""


@attrs.frozen(kw_only=True)
class PremisesAnswer(Answer):
    """Definitions and lemmas that may help with the goal at a position."""

    source: Literal["lean", "index"]
    """Lean's own searches, or the index of the settings."""
    premises: tuple[NamedPremise, ...]
    """Best first."""
