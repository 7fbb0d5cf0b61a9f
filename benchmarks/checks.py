"""What a check costs, next to the least that Lean needs to say anything about an edit.

On one server, in turns: some candidates are judged by the checker one after the other, then the same texts are sent as
a bare `didChange` with one `$/lean/plainGoal` in a document of its own, then as a client without a checker would have
to ask, with `textDocument/waitForDiagnostics` in between. Lean finishes what it does in the background before each
turn. All is repeated below more and more theorems.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

import attrs

from llmstep.lean.checker import FileChecker
from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.project import Project, server_command
from llmstep.lean.server import LeanServer
from llmstep.lean.text import position_at
from llmstep.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from pathlib import Path

    from llmstep.lean.insertion_point import InsertionPoint
    from llmstep.settings import Settings

TURN = 10
"""Candidates in a row."""
PAUSE_SECONDS = 1.0
"""Before each turn: the index that Lean makes of a checked document is waited for by nothing else."""
_PROOF = "(p q : Prop) (hp : p) (hq : q) : q ∧ p := by\n  constructor\n  · exact hq\n  · exact hp"


@attrs.frozen
class CheckCost:
    """Medians for one length of file, in milliseconds."""

    theorems_above: int
    candidates: int
    check_ms: float
    """One candidate, judged."""
    bare_ms: float
    """One didChange and one plainGoal."""
    waited_ms: float
    """One didChange, waitForDiagnostics and plainGoal."""
    ratio: float
    """Of a check to a bare round trip: median of the turns' ratios of medians."""
    open_ms: float
    """Once for a text: the baseline, with everything above the candidates elaborated."""


def measured_text(theorems: int, candidates: int) -> tuple[str, InsertionPoint]:
    """A file with so many theorems above an open goal that `exact h0`, `exact h1`, … close, and the place for them."""
    above = "".join(f"theorem above{number} {_PROOF}\n\n" for number in range(theorems))
    hypotheses = " ".join(f"h{number}" for number in range(candidates))
    text = f"{above}theorem measured (p : Prop) ({hypotheses} : p) : p := by\n  sorry\n"
    point = find_insertion_point(text, position_at(text, text.rindex("sorry")))
    assert point is not None
    return text, point


async def check_costs(settings: Settings, folder: Path, above: Sequence[int], candidates: int) -> list[CheckCost]:
    """The costs below each number of theorems.

    Raises:
        LeanError: Lean cannot be started or does not answer.
    """
    server = LeanServer(
        server_command(Project(folder, lake=False), settings.lean, settings.check),
        folder,
        timeout=settings.lean.timeout_seconds,
    )
    try:
        return [await _measure(server, settings, folder, theorems, candidates) for theorems in above]
    finally:
        await server.stop()


async def _measure(server: LeanServer, settings: Settings, folder: Path, theorems: int, candidates: int) -> CheckCost:
    text, point = measured_text(theorems, candidates)
    checked, bare = ((folder / f"{name}{theorems}.lean").as_uri() for name in ("Checked", "Bare"))
    checker = FileChecker(server, checked, settings.check, settings.lean.timeout_seconds)
    started = time.perf_counter()
    await checker.baseline(text, point)
    opened = time.perf_counter() - started
    version = await server.change(bare, point.shadow(text, "sorry"))

    async def check(candidate: str) -> None:
        verdict = await checker.check(text, point, candidate)
        assert verdict.verdict is Verdict.CLOSES, verdict

    async def ask(candidate: str, *, wait: bool = False) -> None:
        nonlocal version
        changed = point.shadow(text, candidate)
        version = await server.change(bare, changed)
        if wait:
            await server.wait(bare, version)
        goals = await server.plain_goal(bare, position_at(changed, len(changed)))
        assert goals == [], goals

    async def wait(candidate: str) -> None:
        await ask(candidate, wait=True)

    names = [f"exact h{number}" for number in range(candidates)]
    turns: list[list[list[float]]] = []
    for first in range(0, candidates, TURN):
        turn: list[list[float]] = []
        for way in (check, ask, wait):
            await server.wait(bare, version)
            await asyncio.sleep(PAUSE_SECONDS)
            turn.append([await _seconds(way(name)) for name in names[first : first + TURN]])
        turns.append(turn)
    await checker.close()
    await server.close(bare)

    def median(way: int) -> float:
        return round(statistics.median(seconds for turn in turns for seconds in turn[way]) * 1000, 2)

    return CheckCost(
        theorems_above=theorems,
        candidates=candidates,
        check_ms=median(0),
        bare_ms=median(1),
        waited_ms=median(2),
        ratio=round(statistics.median(statistics.median(turn[0]) / statistics.median(turn[1]) for turn in turns), 2),
        open_ms=round(opened * 1000, 1),
    )


async def _seconds(work: Awaitable[None]) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started
