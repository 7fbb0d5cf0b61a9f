"""What is asked of those who look for proofs, and what they answer: an edit that Lean accepts, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from llmstep.printable import counted
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    from lsprotocol.types import TextEdit

    from llmstep.lean.insertion_points import InsertionPoint
    from llmstep.settings import Settings
    from llmstep.types import Goal

Strategy = Literal["auto", "search", "write", "sketch"]
Tactics = Literal["model", "list", "both"]
Outcome = Literal["proved", "partial", "exhausted", "expansions", "seconds", "rounds", "tokens", "refused"]
"""How an attempt ended: with a proof, with a part of one, or why without one."""

FIXED_TACTICS: Final = (
    *("rfl", "trivial", "assumption", "contradiction", "decide", "simp", "simp_all", "omega", "grind"),
    *("solve_by_elim", "aesop", "tauto", "norm_num", "norm_num at *", "linarith", "nlinarith", "positivity", "ring"),
    *("ring_nf", "field_simp", "push_neg", "intro h", "constructor", "left", "right", "exfalso", "apply_assumption"),
    *("symm", "subst_vars", "split", "ext", "funext x", "congr", "refine ⟨_, ?_⟩"),
    *("obtain ⟨h₁, h₂⟩ := ‹_ ∧ _›", "obtain ⟨x, h⟩ := ‹∃ _, _›", "rcases ‹_ ∨ _› with h | h"),
)
"""Tactics that need no name from the goal: those that end a proof, then those that take a goal or a hypothesis apart.

Some exist in Mathlib only; an unknown one is tried once.
"""
OUTCOMES: Final = {
    "exhausted": "no state is left to expand",
    "expansions": "the limit of expansions is reached",
    "seconds": "the time limit is reached",
    "rounds": "no answer of the model is a proof",
    "tokens": "the limit of tokens is reached",
    "refused": "Lean refuses the proof that was found in the whole file",
    "partial": "goals are left",
}
"""Why there is no proof, in words."""


@attrs.frozen(kw_only=True)
class Plan:
    """How a proof is looked for."""

    strategy: Strategy = "auto"
    """`auto` takes what the model was made for."""
    tactics: Tactics = "both"
    """Where steps come from."""
    fixed: tuple[str, ...] = FIXED_TACTICS
    """The list of `list` and `both`."""
    expansions: int = 64
    """Most states that are expanded."""
    seconds: float = 120.0
    """Of everything, whatever the strategy."""
    sampling: SamplingParams = SamplingParams(count=16, seed=0)
    """How the model is asked for steps; a fixed seed makes its samples the same in every run."""
    length_power: float = 0.0
    """See `best_first`."""
    patience: int = 4
    """See `Limits`."""
    rounds: int = 3
    """How often a written proof that Lean refuses goes back to the model."""
    tokens: int = 32_768
    """Most tokens that the model writes in all rounds together, thoughts included."""

    @classmethod
    def of(cls, settings: Settings, *, samples: int | None = None, seed: int | None = None, **given: Any) -> Plan:
        """The plan of the settings, as far as nothing else is given; None is not given.

        Args:
            samples: Drawn from the model for each state; None is 16.
            seed: Of the draw; None is 0.
        """
        set_by_user = {
            "strategy": settings.prove_strategy,
            "seconds": settings.prove_seconds,
            "rounds": settings.prove_rounds,
            "tokens": settings.prove_tokens,
            "sampling": SamplingParams.of(settings, samples or 16, seed or 0),
        }
        return cls(**{**set_by_user, **{name: value for name, value in given.items() if value is not None}})


@attrs.frozen
class Task:
    """A goal of a file."""

    uri: str
    text: str
    points: Sequence[InsertionPoint]
    """Where it may be; the first counts at which Lean has a goal. See `find_insertion_points`."""


@attrs.frozen
class Partial:
    """A proof except for some goals."""

    proof: str
    """With `sorry` for each of them; without the indentation of its place."""
    edit: TextEdit
    """Puts it into the file."""
    goals: tuple[str, ...]
    """The goals that are left, as Lean prints them; the empty text where it gave none."""


@attrs.frozen(kw_only=True)
class Attempt:
    """What came of the work at one goal."""

    point: InsertionPoint
    goal: Goal
    outcome: Outcome
    """`refused`: proofs were found, but in the whole file Lean has something against each."""
    steps: tuple[str, ...] | None = None
    """The proof; None when none was found."""
    proof: str | None = None
    """The same as one text, without the indentation of its place."""
    edit: TextEdit | None = None
    """Puts it into the file."""
    partial: Partial | None = None
    """With the outcome `partial`: what there is of a proof."""
    expansions: int = 0
    states: int = 0
    """Number of distinct states seen."""
    rounds: int = 0
    """Answers of a model that writes whole proofs."""
    tokens: int = 0
    """Tokens that it wrote."""
    seconds: float = 0.0
    """Of everything, the loading of the model included."""
    model: str | None = None
    """The model that was asked; None with `list`."""
    tactics: Tactics
    strategy: Strategy = "search"
    """The strategy that was followed: `search`, `write` or `sketch`."""

    def in_words(self) -> str:
        """What was found in words, without a full stop."""
        if self.proof is not None and self.rounds:
            return f"Found a proof in {counted(self.rounds, 'round')}"
        if self.proof is not None and self.strategy == "search":
            return f"Found a proof of {counted(len(self.steps or ()), 'step')}"
        if self.proof is not None:
            return "Found a proof"
        if self.partial is not None:
            return f"Proves it except for {counted(len(self.partial.goals), 'goal')}"
        if self.rounds:
            return f"No proof found in {counted(self.rounds, 'round')}"
        return f"No proof found in {self.expansions} expansions"

    def effort(self) -> str:
        """What it has cost, as parts of a sentence."""
        parts = [f"{counted(self.rounds, 'round')}, {counted(self.tokens, 'token')}"] if self.rounds else []
        if self.expansions:
            parts.append(f"{counted(self.expansions, 'state')} expanded, {self.states} seen")
        return ", ".join([*parts, f"{self.seconds:.1f} s"])
