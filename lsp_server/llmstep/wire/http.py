"""Answers of the HTTP server; those of other protocols' pages have the forms of these protocols."""

from __future__ import annotations

from typing import Literal

import attrs


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
