"""Bodies and answers of the HTTP server; those of other protocols' pages stand beside these pages."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from llmstep.wire.bounds import Given, Samples, items, number

Seed = Annotated[int, number(0, (1 << 63) - 1)]


@attrs.frozen(kw_only=True)
class TacticBody:
    """The request of the `llmstep` tactic and of the first llmstep's clients."""

    tactic_state: Given
    """The goals as Lean prints them, the main one first."""
    prefix: str = ""
    """What every step has to begin with."""
    context: str = ""
    """The text of the file before the step; it may be a part of the file, or empty."""
    count: Samples | None = None
    """Number of samples to draw; without it that of the settings."""


@attrs.frozen(kw_only=True)
class GenerateBody:
    """LeanCopilot's request to an external model."""

    name: str = ""
    """The model's name on the side of LeanCopilot; this server has one, so any name is right."""
    input: Given
    """The goals as Lean prints them."""
    prefix: str = ""
    """What every step has to begin with."""


@attrs.frozen(kw_only=True)
class SamplingBody:
    """How candidates are drawn."""

    count: Samples
    """Number of samples."""
    temperature: Annotated[float, number(0, 5)]
    """0 is greedy."""
    top_p: Annotated[float, number(0.01, 1)]
    """Nucleus sampling: total probability of the tokens kept."""
    max_new_tokens: Annotated[int, number(1, 4096)]
    """Most tokens of a candidate."""
    seed: Seed | None = None
    """Makes the samples repeatable."""


@attrs.frozen(kw_only=True)
class CandidatesBody:
    """Another llmstep's request."""

    goal: Given
    """The main goal."""
    others: tuple[str, ...] = ()
    """The other goals."""
    prefix: str = ""
    """What every candidate has to begin with."""
    context: str = ""
    """The text of the file before the step."""
    declaration: str = ""
    """Full name of the theorem."""
    proof: str = ""
    """The steps so far."""
    premises: tuple[Annotated[tuple[str, ...], items(2, minimum=2)], ...] = ()
    """Names and codes of premises."""
    sampling: SamplingBody | None = None
    """Without it the settings of the server."""
    model_key: str = ""
    """Which model it has to be; empty takes any."""


@attrs.frozen(kw_only=True)
class TacticAnswer:
    """Next steps for a goal, best first."""

    suggestions: tuple[str, ...]
    scores: tuple[float | None, ...]
    """Mean log-probabilities of the tokens; null where the model gives none."""
    model: str
    elapsed_ms: float


@attrs.frozen(kw_only=True)
class GeneratedOutput:
    """A step, in LeanCopilot's form."""

    output: str
    score: float
    """The geometric mean of the token probabilities; where no probability is known, the same for all."""


@attrs.frozen(kw_only=True)
class GenerateAnswer:
    """Next steps, in LeanCopilot's form."""

    outputs: tuple[GeneratedOutput, ...]


@attrs.frozen(kw_only=True)
class HealthAnswer:
    """The process is alive."""

    status: Literal["ok"]
    name: Literal["llmstep"]
    version: str
    model: str
    state: str
    """What the engine does."""
    protocol: int
    """Version of the protocol between two llmsteps."""
    model_key: str
    """Tells two models apart."""
    pid: int
    waiting: int
    """Requests that wait."""


@attrs.frozen(kw_only=True)
class ReadyAnswer:
    """The model is loaded."""

    ready: bool
    model: str
