"""The use case: a place in a file in, one edit out that Lean accepts, or why there is none."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Literal

import attrs

from llmstep.premises.source import Whereabouts
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.search.acceptance import Acceptance
from llmstep.search.best_first import Limits, best_first
from llmstep.search.lean_expander import LeanExpander
from llmstep.search.proposals import FIXED_TACTICS, FixedTactics, Mixture, ModelTactics, Tactics
from llmstep.search.script import join
from llmstep.search.state import canonical
from llmstep.types import Goal, SamplingParams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsprotocol.types import TextEdit

    from llmstep.engine.interface import ModelEngine
    from llmstep.lean.insertion_points import InsertionPoint
    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.premises.asked import Premises
    from llmstep.search.proposals import ProofState, Proposer
    from llmstep.types import Premise


@attrs.frozen(kw_only=True)
class Method:
    """How to search."""

    tactics: Tactics = "model"
    """Where steps come from."""
    fixed: tuple[str, ...] = FIXED_TACTICS
    """The list of `list` and `both`."""
    expansions: int = 64
    seconds: float = 120.0
    samples: int = 16
    """Drawn from the model for each state."""
    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 128
    seed: int | None = 0
    """Makes the model's samples the same in every run."""
    length_power: float = 0.0
    """See `best_first`."""
    patience: int = 4
    """See `Limits`."""


Outcome = Literal["proved", "partial", "exhausted", "expansions", "seconds", "rounds", "tokens", "refused"]
"""How an attempt ended: with a proof, with a part of one, or why without one."""


@attrs.frozen
class Partial:
    """A proof but for some goals."""

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


@attrs.frozen(eq=False)
class Prover:
    """Searches for proofs in files. Cancelling the task of a call ends it at once."""

    engine: ModelEngine
    """Proposes steps; not used with `list`."""
    lean: LeanWorkspace
    """Runs them."""
    _premises: Premises | None = None
    """Finds premises for each state, for models that read some."""

    async def prove(
        self,
        uri: str,
        text: str,
        points: Sequence[InsertionPoint],
        method: Method,
        *,
        written: Callable[[str, InsertionPoint], str] = lambda _, __: "",
        progress: ProgressSink = silent,
    ) -> Attempt:
        """Search for a proof at the first of `points` at which Lean has a goal.

        Args:
            uri: Address of the file.
            text: Its text.
            points: See `find_insertion_points`.
            method: How to search.
            written: Gives the steps of the proof that stand before an insertion point, for models that read them.
            progress: Called with each step of the work.

        Raises:
            NoGoalError: There is no goal.
            LeanError: Lean cannot be started or does not answer.
            ModelError: The model cannot be loaded or run.
        """
        started = time.monotonic()
        progress(Progress("goal", "Asking Lean for the goal"))
        point, goal = await self.lean.locate(uri, text, points)
        helped = partial(self._helped, uri, text, point) if self._premises else None
        model = ModelTactics(self.engine, _sampling(method), progress, helped)
        judge = Acceptance(self.lean, uri, text, point)
        expander = LeanExpander(
            self.lean, _proposer(method, model), uri, text, point, goal, written(text, point), judge.accepts
        )

        limits = Limits(method.expansions, method.seconds, method.patience)
        search = await best_first(
            expander.root, expander, limits, key=canonical, length_power=method.length_power, progress=progress
        )
        steps = search.proof
        if steps is not None:
            progress(Progress("check", "Checking the proof"))
            shorter = await expander.shortened(steps)
            steps = shorter if shorter == steps or await judge.accepts(shorter) else steps
        proof = None if steps is None else join(steps)
        return Attempt(
            point,
            goal,
            steps,
            proof,
            None if proof is None else point.edit(text, proof),
            "refused" if proof is None and judge.refused else search.outcome,
            search.expansions,
            search.states,
            round(time.monotonic() - started, 3),
            model.model,
            method.tactics,
        )

    async def _helped(self, uri: str, text: str, point: InsertionPoint, scene: ProofState) -> tuple[Premise, ...]:
        """Premises for a state of a proof at an insertion point."""
        assert self._premises is not None
        return await self._premises.find(Goal(scene.goal), Whereabouts(uri, text, point, scene.steps))


def _sampling(method: Method) -> SamplingParams:
    return SamplingParams(method.samples, method.temperature, method.top_p, method.max_new_tokens, method.seed)


def _proposer(method: Method, model: ModelTactics) -> Proposer:
    if method.tactics == "model":
        return model
    fixed = FixedTactics(method.fixed)
    return fixed if method.tactics == "list" else Mixture(model, fixed)
