"""How good single suggestions are: one request a goal, every step run in Lean, results kept so that a run can go on.

This is what a user of an editor meets, unlike proof search: of how many goals does the answer hold a step that Lean
accepts, or one that closes the goal.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.bench.results import Line, run
from llmstep.bench.statistics import Share
from llmstep.types import Suggestion, Verdict

if TYPE_CHECKING:
    from llmstep.bench.theorems import Theorem
    from llmstep.settings import Settings

_ACCEPTED = frozenset(each.value for each in Verdict if each.accepted)
_RESAMPLES = 2000
QUALITY = "quality"
"""The benchmark in the records of methods."""


@attrs.frozen
class Judged:
    """The answer for one goal."""

    model: str
    drawn: int
    """Samples."""
    steps: Sequence[Suggestion]
    """All distinct ones with their verdicts."""
    doubt: str = ""
    """Why some have none."""
    shown: float | None = None
    """Seconds to the first step that Lean accepts; None where it accepts none."""


@attrs.frozen(kw_only=True)
class GoalResult(Line):
    """What came of one goal.

    Its outcome is `closes`, `progress`, `none` or `error`: the best that Lean said of a step.
    """

    drawn: int = 0
    """Samples."""
    steps: int = 0
    """Distinct ones that are no empty texts."""
    accepted: int = 0
    """Those that Lean runs and that change the goal, closing ones among them."""
    closing: int = 0
    unchecked: int = 0
    """Those that Lean said nothing about."""
    first: str = ""
    """Verdict of the likeliest step, before Lean is asked."""
    shown: float | None = None
    """Seconds to the first step that Lean accepts; None where it accepts none."""


@attrs.frozen
class QualitySummary:
    """The result of the benchmark, or of the part of it that is done."""

    goals: int
    errors: int
    accepted: Share
    """Goals with a step that Lean accepts."""
    closed: Share
    """Goals with a step that closes them."""
    first: Share
    """Goals where the likeliest step, before Lean is asked, is accepted."""
    steps: Share
    """Accepted ones of all distinct steps; the interval is a bootstrap over goals, as the steps of one are alike."""
    seconds: float
    shown: float | None
    """Median of the seconds to the first step that Lean accepts, of the goals that have one."""
    model: str | None
    method: dict[str, Any]

    def text(self) -> str:
        """For reading."""
        errors = f", {self.errors} with an error" if self.errors else ""
        lines = [
            f"{self.goals} goals{errors}, {self.seconds:.0f} s, model {self.model}",
            f"goals with a step that Lean accepts: {self.accepted}",
            f"goals with a step that closes them: {self.closed}",
            f"goals whose likeliest step is accepted: {self.first}",
            f"distinct steps that are accepted: {self.steps}",
        ]
        if self.shown is not None:
            lines.append(f"median time to the first accepted step: {self.shown:.2f} s")
        return "\n".join(lines)


def quality_record(settings: Settings, seed: int) -> dict[str, Any]:
    """What the results say about how was asked."""
    sampling = {"count": settings.count, "temperature": settings.temperature, "top_p": settings.top_p}
    where = {} if settings.in_process else {"engine": settings.engine, "served": settings.remote.model}
    model = {"model": settings.model, "template": settings.template}
    if settings.dtype != "auto" and not where:
        model["dtype"] = settings.dtype
    return {"benchmark": QUALITY, **model, **where, **sampling, "tokens": settings.max_new_tokens, "seed": seed}


async def run_quality(
    goals: Sequence[Theorem],
    ask: Callable[[Theorem], Awaitable[Judged]],
    record: dict[str, Any],
    out: Path,
    on_result: Callable[[GoalResult, bool], None] = lambda _, __: None,
) -> list[GoalResult]:
    """Ask for each goal once; see `results.run`.

    Args:
        goals: Places in files.
        ask: Gives the steps for one of them, judged.
        record: See `quality_record`.
    """

    async def attempt(goal: Theorem) -> GoalResult:
        started = time.perf_counter()
        answer = await ask(goal)
        steps = answer.steps
        verdicts = [step.check.verdict for step in steps]
        closing = verdicts.count(Verdict.CLOSES)
        accepted = sum(each.accepted for each in verdicts)
        unchecked = verdicts.count(Verdict.UNCHECKED)
        outcome = "closes" if closing else "progress" if accepted else "none"
        if steps and unchecked == len(steps):
            outcome = "error"
        likeliest = max(steps, key=lambda step: step.candidate.likelihood, default=None)
        return GoalResult(
            goal.name,
            outcome,
            method=record,
            drawn=answer.drawn,
            steps=len(steps),
            accepted=accepted,
            closing=closing,
            unchecked=unchecked,
            first=likeliest.check.verdict.value if likeliest is not None else "",
            seconds=round(time.perf_counter() - started, 3),
            model=answer.model,
            message=answer.doubt if outcome == "error" else "",
            shown=None if answer.shown is None else round(answer.shown, 3),
        )

    return await run(GoalResult, goals, attempt, record, out, on_result)


def summarise_quality(results: Sequence[GoalResult]) -> QualitySummary:
    """The shares; goals that ended with an error count as goals without an accepted step."""
    shown = [each.shown for each in results if each.shown is not None]
    return QualitySummary(
        goals=len(results),
        errors=sum(each.outcome == "error" for each in results),
        accepted=Share.of(sum(each.outcome in ("closes", "progress") for each in results), len(results)),
        closed=Share.of(sum(each.outcome == "closes" for each in results), len(results)),
        first=Share.of(sum(each.first in _ACCEPTED for each in results), len(results)),
        steps=_step_share(results),
        seconds=round(sum(each.seconds for each in results), 1),
        shown=round(statistics.median(shown), 3) if shown else None,
        model=next((each.model for each in results if each.model), None),
        method=results[0].method if results else {},
    )


def _step_share(results: Sequence[GoalResult]) -> Share:
    """The share of accepted steps; resampled are whole goals, so that the likeness of one goal's steps counts."""
    pairs = [(each.accepted, each.steps) for each in results if each.steps]
    if not pairs:
        return Share(0.0, (0.0, 1.0))
    draw = random.Random(0)
    shares = []
    for _ in range(_RESAMPLES):
        sample = draw.choices(pairs, k=len(pairs))
        shares.append(sum(part for part, _ in sample) / sum(whole for _, whole in sample))
    shares.sort()
    low, high = shares[int(0.025 * _RESAMPLES)], shares[int(0.975 * _RESAMPLES)]
    share = sum(part for part, _ in pairs) / sum(whole for _, whole in pairs)
    return Share(round(share, 4), (round(low, 4), round(high, 4)))
