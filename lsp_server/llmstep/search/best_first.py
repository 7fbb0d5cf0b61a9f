"""Best-first search over tactic states. Pure: no model, no Lean, only an `Expander` that knows both.

The open state with the best score is expanded next. The score of a state is the sum of the log-probabilities of the
steps that lead to it (Welleck & Saha, arXiv:2310.18457, section on proof search), or that sum divided by a power of
their number. When no state is open any more, those that were expanded are asked for other steps, if any may come.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

import attrs

from llmstep.progress import Progress, ProgressSink, silent

Outcome = Literal["proved", "exhausted", "expansions", "seconds"]
"""Why a search ended: with a proof, without an open state, or at one of its limits."""


@attrs.frozen
class Step:
    """A step that can be taken from a state, and where it leads."""

    tactic: str
    logprob: float
    """Sum of the log-probabilities of its tokens (natural logarithm)."""
    goals: tuple[str, ...] | None
    """The goals that it leaves, main first; empty when the proof is finished, None when the step is refused."""


class Expander(Protocol):
    """Proposes steps, and runs them."""

    @property
    def varied(self) -> bool:
        """Whether other steps may be proposed when a state is expanded again."""

    async def expand(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int) -> Sequence[Step]:
        """The steps from a state.

        Args:
            goals: The state.
            proof: The steps that lead to it from the root.
            again: How often it was expanded before.
        """


@attrs.frozen
class Limits:
    """When a search gives up."""

    expansions: int = 100
    """Most expansions; one that is done again counts again."""
    seconds: float = 600.0
    """Longest time."""
    patience: int = 0
    """States that may be expanded after the first proof, as long as they may lead to a shorter one."""


@attrs.frozen
class Search:
    """What a search has found."""

    proof: tuple[str, ...] | None
    """The steps of the shortest proof found."""
    outcome: Outcome
    expansions: int
    seconds: float
    states: int
    """Number of distinct states seen, the root included."""


def score(logprob: float, depth: int, length_power: float) -> float:
    """Score of a state: the sum of the log-probabilities of the `depth` steps to it, over `depth ** length_power`."""
    return logprob / math.pow(max(1, depth), length_power)


async def best_first(
    root: tuple[str, ...],
    expander: Expander,
    limits: Limits,
    *,
    key: Callable[[tuple[str, ...]], str],
    length_power: float = 0.0,
    progress: ProgressSink = silent,
) -> Search:
    """Search for steps that close all goals of `root`.

    Cancelling the task ends the search at once. What the expander raises ends it too.

    Args:
        root: The goals to begin with; at least one.
        expander: Called for one state after the other; for one with a known key only when no other is left.
        limits: When to give up.
        key: States with the same key are the same.
        length_power: 0 ranks by the sum of log-probabilities, which favours short proofs; 1 by their mean a step.
        progress: Called before each expansion.
    """
    started = time.monotonic()
    states = _States(key, length_power)
    states.push(root, (), 0.0)
    best: tuple[str, ...] | None = None
    expansions, last = 0, limits.expansions
    outcome: Outcome = "exhausted"
    while (node := states.pop(best, varied=expander.varied)) is not None:
        left = limits.seconds - (time.monotonic() - started)
        if left <= 0 or expansions >= last:
            outcome = "seconds" if left <= 0 else "expansions"
            break
        doing = "Searching" if best is None else "Looking for a shorter proof"
        where = f"{expansions} expanded, {len(states.queue)} open, depth {len(node.proof)}"
        progress(Progress("search", f"{doing}: {where}", expansions, limits.expansions))
        try:
            steps = await asyncio.wait_for(expander.expand(node.goals, node.proof, node.again), left)
        except asyncio.TimeoutError:
            if time.monotonic() - started < limits.seconds:
                raise  # not ours
            outcome = "seconds"
            break
        expansions += 1
        for step in steps:
            proof = (*node.proof, step.tactic)
            if step.goals:
                states.push(step.goals, proof, node.logprob + step.logprob)
            elif step.goals is not None and (best is None or _length(proof) < _length(best)):
                if best is None:
                    last = min(last, expansions + limits.patience)
                best = proof
    outcome = outcome if best is None else "proved"
    return Search(best, outcome, expansions, time.monotonic() - started, len(states.costs))


def _length(proof: tuple[str, ...]) -> tuple[int, int]:
    """What makes one proof shorter than another: fewer steps, then fewer characters."""
    return len(proof), sum(map(len, proof))


@attrs.frozen(order=True)
class _Node:
    cost: float
    """What the queue is ordered by: the score, negative."""
    number: int
    """Among equals the older one is first."""
    goals: tuple[str, ...] = attrs.field(order=False)
    proof: tuple[str, ...] = attrs.field(order=False)
    logprob: float = attrs.field(order=False)
    again: int = attrs.field(order=False, default=0)
    """How often it was expanded before."""


@attrs.define(eq=False)
class _States:
    _key: Callable[[tuple[str, ...]], str]
    _length_power: float
    queue: list[_Node] = attrs.field(init=False, factory=list)
    """Those that are open."""
    costs: dict[str, float] = attrs.field(init=False, factory=dict)
    """Of every state seen: the least cost that it was reached with."""
    _expanded: set[str] = attrs.field(init=False, factory=set)
    _past: list[_Node] = attrs.field(init=False, factory=list)
    """The nodes expanded since they were last put back."""
    _numbers: Iterator[int] = attrs.field(init=False, factory=itertools.count)

    def push(self, goals: tuple[str, ...], proof: tuple[str, ...], logprob: float) -> None:
        key = self._key(goals)
        cost = -score(logprob, len(proof), self._length_power)
        if cost < self.costs.get(key, math.inf) and key not in self._expanded:
            self.costs[key] = cost
            heapq.heappush(self.queue, _Node(cost, next(self._numbers), goals, proof, logprob))

    def pop(self, best: tuple[str, ...] | None, *, varied: bool) -> _Node | None:
        """The best open state, which counts as expanded from now on.

        Args:
            best: The shortest proof so far.
            varied: Whether to begin again with those that were expanded, when none is open and there is no proof.
        """
        if not self.queue and best is None and varied:
            for node in self._past:
                heapq.heappush(self.queue, attrs.evolve(node, again=node.again + 1))
            self._past.clear()
        while self.queue:
            node = heapq.heappop(self.queue)
            key = self._key(node.goals)
            if key in self._expanded and not node.again:
                continue  # it was reached by a better way meanwhile
            if best is not None and len(node.proof) + 1 >= len(best):
                continue  # no shorter proof goes through it
            self._expanded.add(key)
            self._past.append(node)
            return node
        return None
