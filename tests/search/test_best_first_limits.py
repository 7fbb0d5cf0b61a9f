"""The ends of the search on small worlds: budgets, cancelling, errors, and asking again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from llmstep.search.best_first import Limits, Step, best_first

from .worlds import Toy, World, key, search

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize("budget", [0, 1, 2, 5])
async def test_the_budget_of_expansions(budget: int) -> None:
    world: World = {str(n): {"on": (0.5, str(n + 1))} for n in range(20)}
    found, toy = await search(world, "0", expansions=budget)
    assert toy.expanded == [str(n) for n in range(budget)]
    assert (found.proof, found.outcome, found.expansions) == (None, "expansions", budget)


async def test_the_budget_of_seconds_also_ends_an_expansion() -> None:
    class Slow(Toy):
        cancelled = False

        async def expand(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int) -> Sequence[Step]:
            if key(goals) == "b":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.cancelled = True
                    raise
            return await super().expand(goals, proof, again)

    slow = Slow({"a": {"x": (1.0, "b")}})
    found = await best_first(("a",), slow, Limits(seconds=0.2), key=key)
    assert (found.proof, found.outcome, found.expansions) == (None, "seconds", 1)
    assert slow.cancelled


async def test_no_time_means_no_expansion() -> None:
    found, toy = await search({"a": {"done": (1.0, "")}}, seconds=0)
    assert (found.outcome, toy.expanded) == ("seconds", [])


async def test_a_timeout_of_the_expander_is_not_taken_for_the_budget() -> None:
    class Failing(Toy):
        async def expand(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int) -> Sequence[Step]:
            raise asyncio.TimeoutError

    with pytest.raises(asyncio.TimeoutError):
        await best_first(("a",), Failing({}), Limits(seconds=60), key=key)


async def test_cancelling_ends_it_at_once() -> None:
    started = asyncio.Event()

    class Endless(Toy):
        stopped = False

        async def expand(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int) -> Sequence[Step]:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.stopped = True
            raise AssertionError

    endless = Endless({})
    task = asyncio.create_task(best_first(("a",), endless, Limits(), key=key))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert endless.stopped


async def test_what_the_expander_raises_ends_the_search() -> None:
    class Failing(Toy):
        async def expand(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int) -> Sequence[Step]:
            raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        await best_first(("a",), Failing({}), Limits(), key=key)


class Later(Toy):
    """Proposes some steps only when a state is expanded again: the last letter of a name says which time."""

    varied = True

    async def expand(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int) -> Sequence[Step]:
        steps = await super().expand(goals, proof, again)
        return [step for step in steps if int(step.tactic[-1]) == again]


async def test_when_no_state_is_open_the_expanded_ones_are_asked_again() -> None:
    world: World = {
        "a": {"x0": (0.5, "b"), "y0": (0.4, "c"), "z1": (0.1, "d")},
        "b": {"x0": (0.5, "!")},
        "d": {"done0": (1.0, "")},
    }
    toy = Later(world)
    found = await best_first(("a",), toy, Limits(), key=key)
    assert toy.expanded == ["a", "b", "c", "a", "b", "c", "d"], "the best first, and a new state in its turn"
    assert (found.proof, found.expansions, found.states) == (("z1", "done0"), 7, 4)


async def test_asking_again_ends_with_the_budget() -> None:
    toy = Later({"a": {"x0": (0.5, "b")}})
    found = await best_first(("a",), toy, Limits(expansions=7), key=key)
    assert toy.expanded == ["a", "b", "a", "b", "a", "b", "a"]
    assert (found.proof, found.outcome, found.expansions, found.states) == (None, "expansions", 7, 2)


async def test_with_a_proof_in_hand_nothing_is_asked_again() -> None:
    toy = Later({"a": {"x0": (0.5, "b"), "y1": (0.5, "")}, "b": {"done0": (1.0, "")}})
    found = await best_first(("a",), toy, Limits(patience=5), key=key)
    assert toy.expanded == ["a", "b"]
    assert found.proof == ("x0", "done0")
