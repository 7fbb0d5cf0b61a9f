"""Best-first search over tactic states. Pure: no model, no Lean, only an `Expander` that knows both.

The open state with the best score is expanded next. The score of a state is the sum of the log-probabilities of the
steps that lead to it (Welleck & Saha, arXiv:2310.18457, section on proof search), or that sum divided by a power of
their number. When no state is open any more, those that were expanded are asked for other steps, if any may come.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import Callable, Sequence
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
    return await _BestFirst(expander, limits, key, length_power, progress).run(root)


@attrs.define(eq=False)
class _BestFirst:
    _expander: Expander
    _limits: Limits
    _key: Callable[[tuple[str, ...]], str]
    _length_power: float
    _progress: ProgressSink
    _queue: list[_Node] = attrs.field(init=False, factory=list)
    _made: int = attrs.field(init=False, default=0)
    _costs: dict[str, float] = attrs.field(init=False, factory=dict)
    """Of every state seen: the least cost that it was reached with."""
    _expanded: set[str] = attrs.field(init=False, factory=set)
    _past: list[_Node] = attrs.field(init=False, factory=list)
    """The nodes expanded since they were last put back."""
    _expansions: int = attrs.field(init=False, default=0)
    _best: tuple[str, ...] | None = attrs.field(init=False, default=None)
    _last: int = attrs.field(init=False)
    """No state is expanded beyond this number of expansions."""

    def __attrs_post_init__(self) -> None:
        self._last = self._limits.expansions

    async def run(self, root: tuple[str, ...]) -> Search:
        started = time.monotonic()
        self._push(root, (), 0.0)
        outcome: Outcome = "exhausted"
        while (node := self._pop()) is not None:
            left = self._limits.seconds - (time.monotonic() - started)
            if left <= 0 or self._expansions >= self._last:
                outcome = "seconds" if left <= 0 else "expansions"
                break
            self._progress(self._update(node))
            try:
                steps = await asyncio.wait_for(self._expander.expand(node.goals, node.proof, node.again), left)
            except asyncio.TimeoutError:
                if time.monotonic() - started < self._limits.seconds:
                    raise  # not ours
                outcome = "seconds"
                break
            self._expansions += 1
            for step in steps:
                self._take(node, step)
        seconds = time.monotonic() - started
        found: Outcome = "proved" if self._best is not None else outcome
        return Search(self._best, found, self._expansions, seconds, len(self._costs))

    def _take(self, node: _Node, step: Step) -> None:
        if step.goals is None:
            return
        proof = (*node.proof, step.tactic)
        if step.goals:
            self._push(step.goals, proof, node.logprob + step.logprob)
        elif self._best is None or _length(proof) < _length(self._best):
            if self._best is None:
                self._last = min(self._last, self._expansions + self._limits.patience)
            self._best = proof

    def _push(self, goals: tuple[str, ...], proof: tuple[str, ...], logprob: float) -> None:
        key = self._key(goals)
        cost = -score(logprob, len(proof), self._length_power)
        if cost < self._costs.get(key, float("inf")) and key not in self._expanded:
            self._costs[key] = cost
            self._made += 1
            heapq.heappush(self._queue, _Node(cost, self._made, goals, proof, logprob))

    def _update(self, node: _Node) -> Progress:
        doing = "Searching" if self._best is None else "Looking for a shorter proof"
        where = f"{self._expansions} expanded, {len(self._queue)} open, depth {len(node.proof)}"
        return Progress("search", f"{doing}: {where}", self._expansions, self._limits.expansions)

    def _pop(self) -> _Node | None:
        """The best open state, which counts as expanded from now on."""
        if not self._queue and self._best is None and self._expander.varied:
            for node in self._past:
                heapq.heappush(self._queue, attrs.evolve(node, again=node.again + 1))
            self._past.clear()
        while self._queue:
            node = heapq.heappop(self._queue)
            key = self._key(node.goals)
            if key in self._expanded and not node.again:
                continue  # it was reached by a better way meanwhile
            if self._best is not None and len(node.proof) + 1 >= len(self._best):
                continue  # no shorter proof goes through it
            self._expanded.add(key)
            self._past.append(node)
            return node
        return None


def _length(proof: tuple[str, ...]) -> tuple[int, int]:
    """What makes one proof shorter than another: fewer steps, then fewer characters."""
    return len(proof), sum(map(len, proof))
