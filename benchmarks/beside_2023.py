"""Answers in a minute from llmstep and from a stand-in for the first llmstep's server, same model, same people."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import attrs

from benchmarks.crowd import Crowd, Summary, serving
from llmstep.catalog.store import STARTER_DIR

if TYPE_CHECKING:
    from collections.abc import Sequence


@attrs.frozen
class Beside:
    """Rounds in which both were asked, one after the other, in changing order."""

    ours: Sequence[Summary]
    theirs: Sequence[Summary]

    @property
    def ratio(self) -> float:
        """Median over the rounds of our answers for each of theirs."""
        return statistics.median(one.rate / other.rate for one, other in zip(self.ours, self.theirs, strict=True))


async def beside(people: int, rounds: int, seconds: float, folder: str = str(STARTER_DIR)) -> Beside:
    """
    Args:
        people: They ask again as soon as they have an answer.
        seconds: Of each half of a round.
        folder: The model.
    """
    ours = ("llmstep", "serve", "--port", "0", "--model", folder, "--template", "starter", "--device", "cpu")
    options = ("--count", "10", "--temperature", "0.5")
    found: dict[str, list[Summary]] = {"ours": [], "theirs": []}
    async with serving(*ours, *options) as first, serving("benchmarks.server_of_2023", folder) as second:
        urls = {"ours": first, "theirs": second}
        for number in range(-1, rounds):
            for name in sorted(urls, reverse=number % 2 == 1):
                crowd = Crowd(urls[name])
                await crowd.closed(people, 0.001, seconds)
                if number >= 0:  # the first round warms both up
                    found[name].append(Summary.of(crowd.got))
    return Beside(found["ours"], found["theirs"])
