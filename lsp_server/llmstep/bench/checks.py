"""What a check costs, next to the least that Lean needs to say anything about an edit.

Paired and interleaved on one server: candidate after candidate is judged by the checker, and the same text is sent as a
bare `didChange` with one `$/lean/plainGoal`, in a document of its own. Both are repeated below more and more theorems.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import attrs

from llmstep.lean.checker import FileChecker
from llmstep.lean.project import Project, server_command
from llmstep.lean.server import LeanServer
from llmstep.lean.site import find_site
from llmstep.lean.text import position_at
from llmstep.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmstep.lean.place import Site
    from llmstep.settings import Settings

_PROOF = "(p q : Prop) (hp : p) (hq : q) : q ∧ p := by\n  constructor\n  · exact hq\n  · exact hp"


@attrs.frozen
class CheckCost:
    """Medians for one length of file, in milliseconds."""

    theorems_above: int
    candidates: int
    check_ms: float
    """One candidate, judged: didChange, waitForDiagnostics, plainGoal, and the judgement."""
    bare_ms: float
    """One didChange and one plainGoal."""
    ratio: float
    """Median of the pairs' ratios."""
    open_ms: float
    """Once for a text: the baseline, with everything above the candidates elaborated."""


def measured_text(theorems: int, candidates: int) -> tuple[str, Site]:
    """A file with so many theorems above an open goal that `exact h0`, `exact h1`, … close, and the place for them."""
    above = "".join(f"theorem above{number} {_PROOF}\n\n" for number in range(theorems))
    hypotheses = " ".join(f"h{number}" for number in range(candidates))
    text = f"{above}theorem measured (p : Prop) ({hypotheses} : p) : p := by\n  sorry\n"
    site = find_site(text, position_at(text, text.rindex("sorry")))
    assert site is not None
    return text, site


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
    text, site = measured_text(theorems, candidates)
    checked, bare = ((folder / f"{name}{theorems}.lean").as_uri() for name in ("Checked", "Bare"))
    checker = FileChecker(server, checked, settings.check, settings.lean.timeout_seconds)
    started = time.perf_counter()
    await checker.baseline(text, site)
    opened = time.perf_counter() - started
    await server.wait(bare, await server.change(bare, site.shadow(text, "sorry")))
    pairs: list[tuple[float, float]] = []
    for number in range(candidates):
        candidate = f"exact h{number}"
        started = time.perf_counter()
        verdict = await checker.check(text, site, candidate)
        middle = time.perf_counter()
        assert verdict.verdict is Verdict.CLOSES, verdict
        changed = site.shadow(text, candidate)
        await server.change(bare, changed)
        goals = await server.plain_goal(bare, position_at(changed, len(changed)))
        ended = time.perf_counter()
        assert goals == [], goals
        pairs.append((middle - started, ended - middle))
    await checker.close()
    await server.close(bare)
    return CheckCost(
        theorems_above=theorems,
        candidates=candidates,
        check_ms=round(statistics.median(pair[0] for pair in pairs) * 1000, 2),
        bare_ms=round(statistics.median(pair[1] for pair in pairs) * 1000, 2),
        ratio=round(statistics.median(pair[0] / pair[1] for pair in pairs), 2),
        open_ms=round(opened * 1000, 1),
    )
