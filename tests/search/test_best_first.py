"""The search on small worlds: what is expanded, in which order, and which proof it gives."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from llmstep.search.best_first import Limits, best_first, score

from .worlds import Toy, World, key, search

if TYPE_CHECKING:
    from llmstep.progress import Progress


async def test_the_likeliest_open_state_is_next() -> None:
    world: World = {
        "a": {"x": (0.5, "b"), "y": (0.4, "c"), "z": (0.1, "d")},
        "b": {"x": (0.5, "e")},  # 0.25: after c
        "c": {"x": (0.9, "f")},  # 0.36
        "f": {"x": (0.5, "g")},  # 0.18: after e
        "d": {"done": (1.0, "")},
    }
    found, toy = await search(world)
    assert toy.expanded == ["a", "b", "c", "f", "e", "g", "d"]
    assert found.proof == ("z", "done")
    assert (found.outcome, found.expansions, found.states) == ("proved", 7, 7)


async def test_among_equals_the_older_one_is_next() -> None:
    world: World = {"a": {name: (0.25, name) for name in "bcde"}}
    _, toy = await search(world)
    assert toy.expanded == ["a", "b", "c", "d", "e"]


async def test_a_refused_step_leads_nowhere() -> None:
    found, toy = await search({"a": {"x": (0.9, "!"), "y": (0.1, "!")}})
    assert (found.proof, found.outcome, found.expansions) == (None, "exhausted", 1)
    assert toy.expanded == ["a"]


async def test_a_state_is_expanded_once_however_often_it_is_reached() -> None:
    world: World = {
        "a": {"x": (0.5, "b"), "y": (0.4, "b"), "back": (0.1, "a")},
        "b": {"x": (0.5, "c"), "back": (0.5, "a")},
        "c": {"x": (0.5, "b"), "y": (0.4, "c")},
    }
    found, toy = await search(world)
    assert toy.expanded == ["a", "b", "c"]
    assert (found.outcome, found.states) == ("exhausted", 3)


async def test_a_better_way_to_an_open_state_replaces_the_worse_one() -> None:
    world: World = {
        "a": {"slow": (0.3, "goal"), "fast": (0.7, "b"), "other": (0.4, "c")},
        "b": {"on": (0.9, "goal")},  # 0.63, better than 0.3
        "goal": {"done": (1.0, "")},
    }
    found, toy = await search(world)
    assert toy.expanded == ["a", "b", "goal"], "the better score puts the state before c"
    assert found.proof == ("fast", "on", "done")


async def test_of_the_steps_of_one_expansion_the_shortest_text_wins() -> None:
    found, _ = await search({"a": {"simp_all": (0.9, ""), "rfl": (0.05, ""), "decide": (0.05, "")}})
    assert found.proof == ("rfl",)


LONG_FIRST: World = {
    "a": {"p": (0.9, "b"), "q": (0.1, "z")},
    "b": {"p": (0.9, "c")},
    "c": {"done": (1.0, "")},
    "z": {"done": (1.0, "")},
}


@pytest.mark.parametrize(
    ("patience", "proof", "expanded"),
    [
        (0, ("p", "p", "done"), ["a", "b", "c"]),
        (1, ("q", "done"), ["a", "b", "c", "z"]),
    ],
)
async def test_with_patience_it_goes_on_to_a_shorter_proof(
    patience: int, proof: tuple[str, ...], expanded: list[str]
) -> None:
    found, toy = await search(LONG_FIRST, patience=patience)
    assert found.proof == proof
    assert toy.expanded == expanded
    assert found.outcome == "proved"


async def test_patience_is_not_spent_on_states_that_cannot_lead_to_a_shorter_proof() -> None:
    world: World = {
        "a": {"x": (0.9, "b"), "y": (0.1, "c")},
        "b": {"done": (0.5, ""), "x": (0.5, "d")},
        "d": {"done": (1.0, "")},
        "c": {"done": (1.0, "")},
    }
    found, toy = await search(world, patience=10)
    assert toy.expanded == ["a", "b"]
    assert found.proof == ("x", "done")


async def test_patience_does_not_exceed_the_budget() -> None:
    found, toy = await search(LONG_FIRST, patience=5, expansions=3)
    assert toy.expanded == ["a", "b", "c"]
    assert (found.proof, found.expansions) == (("p", "p", "done"), 3)


async def test_progress_says_where_it_is() -> None:
    updates: list[Progress] = []
    await best_first(("a",), Toy(LONG_FIRST), Limits(patience=1), key=key, progress=updates.append)
    assert [update.message for update in updates] == [
        "Searching: 0 expanded, 0 open, depth 0",
        "Searching: 1 expanded, 1 open, depth 1",
        "Searching: 2 expanded, 1 open, depth 2",
        "Looking for a shorter proof: 3 expanded, 0 open, depth 1",
    ]
    assert [(update.done, update.total) for update in updates] == [(number, 100) for number in range(4)]


async def test_the_expander_is_given_the_steps_that_lead_to_the_state() -> None:
    _, toy = await search(LONG_FIRST)
    assert toy.proofs == [(), ("p",), ("p", "p")]


async def test_length_normalisation_goes_on_with_a_long_row_of_likely_steps() -> None:
    """A sum prefers many short rows of unlikely steps to one that has become long; a mean does not."""
    world: World = {"a": {"in": (0.3, "d1"), **{f"w{n}": (0.31, f"w{n}") for n in range(6)}}}
    world |= {f"w{n}": {"x": (0.2, f"w{n}x"), "y": (0.2, f"w{n}y")} for n in range(6)}
    world |= {f"d{n}": {"on": (0.7, f"d{n + 1}")} for n in range(1, 7)}
    world["d7"] = {"done": (0.7, "")}
    plain, _ = await search(world, length_power=0.0)
    normalised, _ = await search(world, length_power=1.0)
    assert plain.proof == normalised.proof == ("in", *["on"] * 6, "done")
    assert plain.expansions == 1 + 6 + 12 + 7
    assert normalised.expansions == 1 + 6 + 7


@pytest.mark.parametrize(
    ("logprob", "depth", "power", "expected"),
    [(0.0, 0, 0.0, 0.0), (-6.0, 3, 0.0, -6.0), (-6.0, 3, 1.0, -2.0), (-6.0, 4, 0.5, -3.0), (-6.0, 1, 1.0, -6.0)],
)
def test_score(logprob: float, depth: int, power: float, expected: float) -> None:
    assert score(logprob, depth, power) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
async def test_with_all_the_budget_it_finds_what_any_search_finds(seed: int) -> None:
    """On random graphs: proved exactly when the end can be reached, by steps that lead there, no state twice."""
    rng = random.Random(seed)
    names = [str(n) for n in range(12)]
    ends = [*names, *names, "!", ""][: 26 - seed % 2]
    world: World = {name: {f"s{n}": (rng.uniform(0.05, 1), rng.choice(ends)) for n in range(2)} for name in names}
    reached, border = {"0"}, ["0"]
    while border:
        for _, then in world.get(border.pop(), {}).values():
            if then not in reached and then != "!":
                reached.add(then)
                border.append(then)
    found, toy = await search(world, "0", patience=100)
    assert (found.proof is not None) == ("" in reached)
    assert len(toy.expanded) == len(set(toy.expanded))
    if found.proof is None:
        assert set(toy.expanded) == reached
    else:
        state = "0"
        for step in found.proof:
            state = world[state][step][1]
        assert state == ""
