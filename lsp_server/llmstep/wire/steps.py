"""Suggestions and proofs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import attrs
from lsprotocol.types import Range, TextEdit

from llmstep import types
from llmstep.printable import printable
from llmstep.types import Verdict

AnyVerdict = Literal["closes", "progress", "invalid", "unchecked"]
"""The values of `Verdict`, as text."""
ShownVerdict = Literal["closes", "progress", "unchecked"]
StepSource = Literal["model", "lean", "repaired"]
ProofOutcome = Literal["proved", "partial", "exhausted", "expansions", "seconds", "rounds", "tokens", "refused"]
ProofStrategy = Literal["search", "write", "sketch"]


@attrs.frozen(kw_only=True)
class Step:
    """A suggested step."""

    text: str
    score: float | None
    """Mean log-probability of its tokens; null where the model gives none."""
    verdict: ShownVerdict
    """What Lean says."""
    source: StepSource
    """The model, one of Lean's own tactics, or the model with a name that Lean offers."""
    repaired_from: str | None
    """With `repaired`, what the model wrote."""
    remaining_goals: tuple[str, ...]
    """With `progress`, the goals that are left."""


def shown_verdict(verdict: Verdict) -> ShownVerdict:
    """A verdict as clients get it; raises ValueError for a step that Lean refuses, which is not shown."""
    match verdict:
        case Verdict.CLOSES:
            return "closes"
        case Verdict.PROGRESS:
            return "progress"
        case Verdict.UNCHECKED:
            return "unchecked"
        case Verdict.INVALID:
            raise ValueError("a step that Lean refuses is not shown")


def verdict_text(verdict: Verdict) -> AnyVerdict:
    """A verdict as programs get it."""
    return "invalid" if verdict is Verdict.INVALID else shown_verdict(verdict)


def step_fields(suggestion: types.Suggestion) -> dict[str, Any]:
    """The fields of the `Step` for a suggestion."""
    return {
        "text": suggestion.text,
        "score": suggestion.candidate.score,
        "verdict": shown_verdict(suggestion.check.verdict),
        "source": suggestion.candidate.source,
        "repaired_from": suggestion.candidate.repaired_from or None,
        "remaining_goals": suggestion.check.goals,
    }


@attrs.frozen(kw_only=True)
class Rejected:
    """A step that Lean refused."""

    text: str
    reason: str


def rejected(suggestions: Iterable[types.Suggestion]) -> tuple[Rejected, ...]:
    """Steps that Lean refused, with its reasons."""
    return tuple(Rejected(text=each.text, reason=printable(each.reason)) for each in suggestions)


@attrs.frozen(kw_only=True)
class RejectedWithTried(Rejected):
    """A step that Lean refused, and what was tried in its place."""

    tried: tuple[Rejected, ...]
    """Texts with names that Lean offers."""


@attrs.frozen(kw_only=True)
class SuggestOutput:
    """What `llmstep suggest --json` prints."""

    goal: str
    model: str
    elapsed_ms: float
    suggestions: tuple[Step, ...]
    """Best first."""
    rejected: tuple[RejectedWithTried, ...]


@attrs.frozen(kw_only=True)
class Suggestion(Step):
    """One entry of the answer of `llmstep.suggest`."""

    title: str
    """The step in one line, with what Lean says of it, as menus show it."""
    edit: TextEdit
    """Inserts it."""


@attrs.frozen(kw_only=True)
class SuggestAnswer:
    """The answer of `llmstep.suggest`."""

    goal: str
    model: str
    elapsed_ms: float
    summary: str
    """How many were generated, checked and rejected, in words."""
    suggestions: tuple[Suggestion, ...]
    """Best first."""
    rejected: tuple[Rejected, ...]
    """What Lean refused."""


@attrs.frozen(kw_only=True)
class Known(SuggestAnswer):
    """The answer of `llmstep/known`: the same from memory, with edits for the text as it is."""

    version: int | None
    """That of the document."""
    goals: tuple[str, ...]
    """The main goal, and those behind it."""
    working: bool
    """Whether a run is going on in the document."""
    rejected_tactics: tuple[Rejected, ...]
    """Lean's own tactics that it refused, which nothing else counts or shows."""


@attrs.frozen(kw_only=True)
class ShownSuggestion:
    """The answer of `llmstep.choose` and `llmstep.accept`."""

    text: str
    edit: TextEdit
    verdict: ShownVerdict
    index: int
    """From 0."""
    count: int


@attrs.frozen(kw_only=True)
class PartialOutput:
    """A proof except for some goals."""

    proof: str
    """With `sorry` for each goal that is left."""
    goals: tuple[str, ...]
    """The goals that are left."""


@attrs.frozen(kw_only=True)
class PartialProof(PartialOutput):
    """The same with its edit."""

    edit: TextEdit


@attrs.frozen(kw_only=True)
class Proving:
    """What came of the work at one goal."""

    proof: str | None
    """What replaces the place, without its indentation; null where there is none."""
    expansions: int
    """States that were expanded."""
    seconds: float
    model: str | None
    """Null where none was asked."""
    outcome: ProofOutcome
    """Why it ended."""
    strategy: ProofStrategy
    """How a proof was looked for."""
    rounds: int
    """Answers of a model that writes whole proofs."""
    tokens: int
    """Tokens that it wrote."""


@attrs.frozen(kw_only=True)
class ProveOutput(Proving):
    """What `llmstep prove --json` prints."""

    partial: PartialOutput | None
    """With the outcome `partial`: what there is of a proof."""


@attrs.frozen(kw_only=True)
class ProveAnswer(Proving):
    """The answer of `llmstep.prove`."""

    edit: TextEdit | None
    partial: PartialProof | None
    """With the outcome `partial`: what there is of a proof."""


@attrs.frozen(kw_only=True)
class Proved:
    """A `sorry` that was proved."""

    range: Range
    """That of the word."""
    edit: TextEdit
    proof: str


@attrs.frozen(kw_only=True)
class Unproved:
    """A `sorry` that was not."""

    range: Range
    reason: str
    partial: PartialProof | None
    """What there is of a proof."""


@attrs.frozen(kw_only=True)
class FillAnswer:
    """The answer of `llmstep.fillSorries`; the edits may be applied together."""

    proved: tuple[Proved, ...]
    failed: tuple[Unproved, ...]
