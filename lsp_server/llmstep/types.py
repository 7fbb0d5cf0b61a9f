"""The values that travel between the rooms of the package."""

from __future__ import annotations

import enum
import math
from typing import Literal

import attrs

from llmstep.printable import counted
from llmstep.settings import Settings

CandidateSource = Literal["model", "lean", "repaired"]
"""Where a candidate comes from: the language model, Lean's own tactics, or the model with names that Lean offers."""


_SOLVED = frozenset({"no goals", "no goals to be proved", "goals accomplished"})


@attrs.frozen
class Goal:
    """A tactic state as Lean prints it.

    `text` is the main goal: an optional `case` line, the hypotheses, and a line that starts with `⊢`.
    `others` are the goals behind it, in Lean's order.
    """

    text: str
    others: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """All goals, main first, joined by blank lines: the form that LeanDojo-trained models read."""
        return "\n\n".join((self.text, *self.others))

    @property
    def solved(self) -> bool:
        """Whether it says that nothing is left to prove, as Lean, its infoview and clients say it."""
        return self.text.lower().strip(" \t\r\n.!🎉") in _SOLVED

    @classmethod
    def from_state(cls, state: str) -> Goal:
        """The goal in a text of one or several goals separated by blank lines."""
        first, *others = [part for part in state.replace("\r\n", "\n").strip().split("\n\n") if part.strip()] or [""]
        return cls(first, tuple(others))


@attrs.frozen
class SamplingParams:
    """How candidates are drawn from a model."""

    count: int = 10
    """Number of samples drawn."""
    temperature: float = 0.7
    """0 means greedy: one candidate."""
    top_p: float = 1.0
    """Nucleus: the smallest set of tokens with this total probability is sampled from."""
    max_new_tokens: int = 128
    """Upper bound on the tokens of one candidate."""
    seed: int | None = None
    """Fixes the draw; None draws afresh."""

    @classmethod
    def of(cls, settings: Settings, count: int | None = None, seed: int | None = None) -> SamplingParams:
        """What settings say, except for what is given here."""
        return cls(count or settings.count, settings.temperature, settings.top_p, settings.max_new_tokens, seed)


@attrs.frozen
class Premise:
    """A definition or lemma that may help with a goal."""

    name: str
    """Full name."""
    code: str
    """How it is defined, or at least stated: `theorem Nat.add_comm (n m : Nat) : n + m = m + n`."""


@attrs.frozen
class PromptInput:
    """What a model is asked: everything its prompt may contain."""

    goal: Goal
    prefix: str = ""
    """Every candidate starts with this text."""
    context: str = ""
    """The text of the file before the goal, for templates that read it."""
    declaration: str = ""
    """Full name of the theorem, where known."""
    proof: str = ""
    """The tactics written so far, where known."""
    premises: tuple[Premise, ...] = ()
    """What may help, best first, for templates that read it."""


@attrs.frozen
class Candidate:
    """A distinct text that a model proposes."""

    text: str
    """The whole step, prefix included, without marks of the template."""
    score: float | None
    """Mean log-probability of its tokens under the model (natural logarithm, at temperature 1); None where a server
    does not know it."""
    tokens: int = 0
    """Number of tokens generated, the end token included; `score * tokens` is the sum of log-probabilities."""
    source: CandidateSource = "model"
    chance: float | None = None
    """Of a tactic of Lean: how likely it is to be the wanted step once Lean accepts it, from 0 to 1."""
    repaired_from: str = ""
    """With `repaired`, what the model wrote."""

    @property
    def likelihood(self) -> float:
        """What candidates of both sources are compared by, from 0 to 1: the chance, or else the mean probability of
        the model's tokens; 0 where neither is known."""
        if self.chance is not None:
            return self.chance
        return 0.0 if self.score is None else math.exp(min(self.score, 0.0))


class Verdict(enum.Enum):
    """What Lean said about a candidate, in the order in which suggestions are shown."""

    CLOSES = "closes"
    """The main goal is gone and no new goal came."""
    PROGRESS = "progress"
    """The candidate runs and leaves goals that differ from those before."""
    UNCHECKED = "unchecked"
    """Not judged: no Lean, out of time, or not yet."""
    INVALID = "invalid"
    """Lean refuses it, it changes nothing, or it is not a proof (`sorry`, the theorem itself)."""

    @property
    def accepted(self) -> bool:
        """Whether Lean takes the candidate as a step."""
        match self:
            case Verdict.CLOSES | Verdict.PROGRESS:
                return True
            case Verdict.INVALID | Verdict.UNCHECKED:
                return False

    def counted(self, count: int) -> str:
        """So many candidates in words: `1 closes the goal`, `2 close the goal`."""
        match self:
            case Verdict.CLOSES:
                one, many = "closes the goal", "close the goal"
            case Verdict.PROGRESS:
                one, many = "leaves goals", "leave goals"
            case Verdict.UNCHECKED:
                one = many = "not checked"
            case Verdict.INVALID:
                one = many = "rejected"
        return f"{count} {one if count == 1 else many}"


@attrs.frozen
class Check:
    """The judgement of one candidate."""

    verdict: Verdict
    goals: tuple[str, ...] = ()
    """With `PROGRESS`, the goals that are left, those that were open behind the main goal before included."""
    message: str = ""
    """With `INVALID`, the first error; with `UNCHECKED`, why there is no verdict."""
    misnamed: bool = False
    """Lean does not know a name in it, or says that one is deprecated: with another name it may be better."""

    @property
    def words(self) -> str:
        """The judgement for people: `closes the goal`, `leaves 2 goals`, `rejected: …`, `not checked`."""
        match self.verdict:
            case Verdict.CLOSES:
                return "closes the goal"
            case Verdict.PROGRESS:
                return f"leaves {counted(len(self.goals), 'goal')}"
            case Verdict.INVALID:
                return f"rejected: {self.message}"
            case Verdict.UNCHECKED:
                return "not checked"


UNCHECKED = Check(Verdict.UNCHECKED)


@attrs.frozen
class Tried:
    """A candidate with other names, tried in place of one with names that Lean does not have."""

    text: str
    message: str
    """Why Lean refuses it; empty where it does not."""


@attrs.frozen
class Suggestion:
    """A candidate with what Lean said about it."""

    candidate: Candidate
    check: Check = UNCHECKED
    tried: tuple[Tried, ...] = ()
    """What was tried in its place."""

    @property
    def text(self) -> str:
        return self.candidate.text

    @property
    def reason(self) -> str:
        """Why Lean refuses it, and what was tried in its place."""
        parts = [self.check.message]
        for each in self.tried:
            said = each.message.rstrip(".") or "Lean accepts it"
            parts.append(f"Tried with another name, `{each.text}`: {said}.")
        return " ".join(part if part.endswith(".") or len(parts) == 1 else f"{part}." for part in parts if part)
