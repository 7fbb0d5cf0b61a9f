"""A crowd at a real server, and the simulation of the same crowd from the times of one client that is alone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import attrs

from benchmarks.capacity import Load, Setup, closed, opened
from benchmarks.crowd import Crowd, Summary, serving

if TYPE_CHECKING:
    from collections.abc import Sequence

_SETTLING = 0.1
"""Share of a row's time at its beginning that is not counted."""


@attrs.frozen
class Row:
    """One load."""

    name: str
    alone: float
    """Mean seconds of a request of one client that is alone."""
    measured: Summary
    simulated: Load


async def times_alone(url: str, number: int) -> list[float]:
    """Seconds of so many requests for new goals, one after the other."""
    crowd = Crowd(url)
    async with crowd.client() as client:
        for _ in range(5 + number):
            await crowd.ask(client, "alone")
    return [each.seconds for each in crowd.got[5:]]


async def compared(
    model: str,
    url: str,
    people: Sequence[int],
    think: float,
    rates: Sequence[float],
    seconds: float,
    alone: int,
) -> list[Row]:
    """A row for each number of people, and for each rate of requests.

    Args:
        url: A server that runs; empty starts `llmstep serve` with `model`.
        think: Mean thinking time, in seconds.
        rates: In requests a second.
        seconds: How long each row takes.
        alone: Requests that are timed first.
    """
    rows = []
    async with contextlib.AsyncExitStack() as stack:
        if not url:
            command = ("llmstep", "serve", "--port", "0", "--model", model, "--device", "cpu")
            url = await stack.enter_async_context(serving(*command))
        times = await times_alone(url, alone)
        setup = Setup(name=model, seconds=times)
        for number in people:
            crowd = Crowd(url)
            await crowd.closed(number, think, seconds)
            simulated = closed(setup, number, think=think)
            rows.append(Row(f"{number} people, think {think:g} s", setup.mean, _settled(crowd, seconds), simulated))
        for rate in rates:
            crowd = Crowd(url)
            await crowd.opened(rate, seconds)
            rows.append(Row(f"{rate:g} requests/s", setup.mean, _settled(crowd, seconds), opened(setup, rate)))
    return rows


def _settled(crowd: Crowd, seconds: float) -> Summary:
    began = min(each.began for each in crowd.got)
    return Summary.of([each for each in crowd.got if each.began - began > _SETTLING * seconds])
