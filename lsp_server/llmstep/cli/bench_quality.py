"""`llmstep bench quality`: of how many goals a single request brings a step that Lean accepts."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llmstep.cli.bench_part import (
    HeaderOption,
    OutOption,
    Part,
    ProjectOption,
    ShardOption,
    SummaryOption,
    TheoremsOption,
)
from llmstep.cli.downloads import agree
from llmstep.cli.flags import LEAN, Given, takes_settings
from llmstep.cli.process import an_app, run
from llmstep.cli.searching import SeedOption

if TYPE_CHECKING:
    from llmstep.app import App
    from llmstep.bench.quality import GoalResult, Judged
    from llmstep.bench.theorems import Theorem
    from llmstep.memory import SuggestionSet


Source = Literal["model", "lean", "both"]
"""Whose steps count."""


@takes_settings(*LEAN)
def quality(
    goals: TheoremsOption,
    lean_project: ProjectOption,
    out: OutOption = None,
    shard: ShardOption = "1/1",
    header: HeaderOption = None,
    source: Annotated[Source, typer.Option(help="Whose steps count; lean is Lean's own tactics.")] = "model",
    seed: SeedOption = 0,
    *,
    given: Given,
    as_json: SummaryOption = False,
) -> None:
    """Ask once for each goal, and count the steps that Lean accepts.

    Prints the shares of goals with an accepted step and with one that closes the
    goal, and of accepted steps, with 95 % confidence intervals.

    Example: llmstep bench quality --goals goals.jsonl --lean-project . --count 10
    """
    settings = given.settings(automation="off" if source == "model" else "on")
    agree(settings, yes=given.yes)
    from llmstep.bench.quality import quality_record, run_quality, summarise_quality

    part = Part.of(goals, lean_project, header=header, shard=shard, out=out, kind="quality")
    record = quality_record(settings, seed)
    if source != "model":
        record["source"] = source

    def how(result: GoalResult) -> str:
        return f"{result.accepted} of {result.steps} steps accepted, {result.seconds:.1f} s"

    async def work() -> list[GoalResult]:
        async with an_app(settings) as app:
            ask = partial(_ask, app, seed, source)
            return await run_quality(part.theorems, ask, record, part.results, part.printer(how))

    part.say(summarise_quality(run(work())), as_json=as_json)


async def _ask(app: App, seed: int, source: Source, goal: Theorem) -> Judged:
    """What the editor does at a place."""
    from llmstep.bench.quality import Judged
    from llmstep.memory import Document

    started = time.perf_counter()
    shown: list[float] = []

    def on_update(found: SuggestionSet) -> None:
        if found.best is not None and found.best.check.verdict.accepted:
            shown.append(time.perf_counter() - started)

    found = await app.suggest(Document(goal.uri, 1, goal.text), goal.position, seed=seed, on_update=on_update)
    steps = (*found.suggestions, *found.rejected)
    if source == "lean":
        steps = tuple(each for each in steps if each.candidate.chance is not None)
    return Judged(found.model, found.drawn, steps, found.note, shown[0] if shown else None)
