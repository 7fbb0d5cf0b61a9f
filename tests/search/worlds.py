"""Small worlds for the search."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from llmstep.search.best_first import Limits, Search, Step, best_first

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


World = dict[str, "dict[str, tuple[float, str]]"]
"""State -> step -> (probability, next state). A state is its goals joined by blanks; "" is proved, "!" a refusal."""


def key(goals: tuple[str, ...]) -> str:
    return " ".join(goals)


class Toy:
    """Expands states of a world, and notes which."""

    varied = False

    def __init__(self, world: Mapping[str, Mapping[str, tuple[float, str]]]) -> None:
        self.world = world
        self.expanded: list[str] = []
        self.proofs: list[tuple[str, ...]] = []

    async def expand(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int) -> Sequence[Step]:
        self.expanded.append(key(goals))
        self.proofs.append(proof)
        await asyncio.sleep(0)
        return [
            Step(step, math.log(probability), None if then == "!" else tuple(then.split()))
            for step, (probability, then) in self.world.get(key(goals), {}).items()
        ]


async def search(world: World, root: str = "a", *, length_power: float = 0.0, **limits: float) -> tuple[Search, Toy]:
    toy = Toy(world)
    made = Limits(**limits)  # type: ignore[arg-type]
    return await best_first(tuple(root.split()), toy, made, key=key, length_power=length_power), toy
