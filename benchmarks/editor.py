"""What an editor waits for: its own requests while the model generates, and suggestions in long files and many windows.

Whole companions are asked over their pipes, so that everything counts that an editor meets: the wire, the loop, the
interpreter's lock. Without Lean the goals come from the client, as they do in VS Code, and nothing is checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import statistics
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.companion import companion
from benchmarks.page import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from benchmarks.companion import Companion

_MAX_PAUSE_SECONDS = 0.02
"""Between requests, drawn evenly, so that they meet the model at any moment of a step."""
_BUSY_SAMPLES = 64


@attrs.frozen
class Plan:
    """How much is measured."""

    rounds: int = 200
    """Requests of each kind."""
    lines: tuple[int, ...] = (100, 1000, 5000, 20000)
    """Lengths of files, multiples of five."""
    asks: int = 5
    """Requests for suggestions after an edit, for each length; and rounds, for each number of windows."""
    windows: tuple[int, ...] = (1, 2, 4, 8)


QUICK = Plan(rounds=5, lines=(100, 1000), asks=2, windows=(1, 2))


@attrs.frozen
class Trip:
    """Round trips of one kind, in milliseconds."""

    count: int
    median_ms: float
    p99_ms: float
    worst_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Trip:
        """
        Args:
            seconds: At least one.
        """
        ordered = [each * 1000 for each in sorted(seconds)]
        p99 = ordered[math.ceil(0.99 * len(ordered)) - 1]
        return cls(len(ordered), *(round(each, 2) for each in (statistics.median(ordered), p99, ordered[-1])))


@attrs.frozen
class Trips:
    """The requests that an editor sends by itself."""

    change: Trip
    """A typed character and a request behind it that needs no work."""
    action: Trip
    """Code actions at a goal with suggestions, after that."""
    hint: Trip
    """Inlay hints of the last screenful, after that."""
    actions: int
    """Fewest code actions in an answer."""
    hints: int
    """Fewest hints in an answer."""
    generating: float
    """Share of the rounds that began while the companion was at work on suggestions."""


@attrs.frozen
class Latency:
    """Round trips at rest, and while suggestion runs follow each other."""

    rest: Trips
    generating: Trips
    runs: int
    """Runs that ended meanwhile."""


@attrs.frozen
class Length:
    """What a file of some length costs."""

    lines: int
    trips: Trips
    first_seconds: float
    """From asking to the answer, in a file that was just opened."""
    again_seconds: float
    """The same after an edit of the last theorem; median."""
    suggestions: int
    """Fewest suggestions in an answer."""


def options(model: str, lean: Sequence[str] | None, *, port: int | None = None) -> dict[str, Any]:
    """A companion's settings.

    Args:
        lean: Command of the Lean server; None is none.
        port: Of the endpoint over which windows share a model; None shares nothing.
    """
    return {
        "model": model,
        "idleUnloadMinutes": 0,
        "http": {"enabled": port is not None, "port": port or 0},
        "check": {"enabled": lean is not None},
        "goalProvider": "client" if lean is None else "server",
        "lean": {"command": list(lean or ()), "timeoutSeconds": 900},
    }


async def latency(
    folder: Path, settings: dict[str, Any], plan: Plan, tell: Callable[[str], None] = lambda _: None
) -> Latency:
    """Round trips in a short file, at rest and while two other files are asked about in turns, again and again.

    Raises:
        LlmstepError: A companion fails.
    """
    async with companion(folder, settings) as made:
        page = Page.open(made, folder / "Typed.lean", 100)
        await page.ask()
        await made.until_idle()
        rest = await round_trips(page, plan.rounds)
        tell("at rest: done")
        async with _generating(made, folder) as runs:
            busy = await round_trips(page, plan.rounds)
        tell("while generating: done")
    return Latency(rest, busy, runs[0])


@contextlib.asynccontextmanager
async def _generating(made: Companion, folder: Path) -> AsyncIterator[list[int]]:
    """Runs for two files, so that the model finds the next goal in its queue when it is done with one.

    Yields:
        The number of runs that have ended, as the only item of a list.
    """
    runs = [0]

    async def keep_asking(page: Page) -> None:
        while True:
            page.restate(page.goal + 2)
            await page.ask(_BUSY_SAMPLES)
            runs[0] += 1

    pages = [Page.open(made, folder / f"Busy{number}.lean", 10, goal=number) for number in range(2)]
    work = [asyncio.create_task(keep_asking(page)) for page in pages]
    begun = asyncio.create_task(made.until_busy())
    try:
        await asyncio.wait({*work, begun}, return_when=asyncio.FIRST_COMPLETED)
        yield runs
        for each in work:
            if each.done():
                await each
    finally:
        for each in (*work, begun):
            each.cancel()
        await asyncio.gather(*work, begun, return_exceptions=True)


async def lengths(
    folder: Path, settings: dict[str, Any], plan: Plan, tell: Callable[[str], None] = lambda _: None
) -> list[Length]:
    """Round trips at the end of longer and longer files, and the time to suggestions there.

    Raises:
        LlmstepError: A companion fails.
    """
    found = []
    async with companion(folder, settings) as made:
        warm = Page.open(made, folder / "Warm.lean", 5)  # loads the model and starts Lean
        await warm.ask()
        await made.until_idle()
        warm.close()
        goal = warm.goal
        for lines in plan.lines:
            goal += 1
            page = Page.open(made, folder / f"Lines{lines}.lean", lines, goal)
            first, got = await page.ask_seconds()
            again = []
            for _ in range(plan.asks):
                goal += 1
                page.restate(goal)
                seconds, some = await page.ask_seconds()
                again.append(seconds)
                got = min(got, some)
            trips = await round_trips(page, plan.rounds)
            page.close()
            found.append(Length(lines, trips, round(first, 3), round(statistics.median(again), 3), got))
            tell(f"{lines} lines: done")
    return found


async def round_trips(page: Page, rounds: int) -> Trips:
    """Type, ask for code actions, ask for hints, so many times.

    Raises:
        LlmstepError: The companion fails.
    """
    draw = random.Random(1)
    changes: list[float] = []
    actions: list[tuple[float, int]] = []
    hints: list[tuple[float, int]] = []
    busy = 0

    async def pause() -> None:
        await asyncio.sleep(draw.uniform(0, _MAX_PAUSE_SECONDS))

    for _ in range(rounds):
        await pause()
        busy += page.companion.busy
        changes.append(await page.change_seconds())
        await pause()
        actions.append(await page.action_seconds())
        await pause()
        hints.append(await page.hint_seconds())
    return Trips(
        change=Trip.of(changes),
        action=Trip.of([seconds for seconds, _ in actions]),
        hint=Trip.of([seconds for seconds, _ in hints]),
        actions=min(number for _, number in actions),
        hints=min(number for _, number in hints),
        generating=round(busy / rounds, 3),
    )
