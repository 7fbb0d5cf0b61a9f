"""`llmstep bench`: benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import attrs
import typer

from llmstep.cli.arguments import ExpansionsOption, LengthPowerOption, SeedOption, TacticsOption
from llmstep.cli.bench_part import Part, SummaryOption, takes_part
from llmstep.cli.bench_runtime import runtime
from llmstep.cli.command import Command
from llmstep.cli.downloads import agree
from llmstep.cli.flags import LEAN, PROOFS, Given, takes_settings
from llmstep.cli.process import an_app, run
from llmstep.cli.say import say, say_json

if TYPE_CHECKING:
    from llmstep.bench.quality import GoalResult, Judged
    from llmstep.bench.search import Result
    from llmstep.bench.theorems import Theorem
    from llmstep.memory import SuggestionSet

bench = typer.Typer(no_args_is_help=True)
Source = Literal["model", "lean", "both"]
"""Whose steps count."""


@bench.callback()
def _bench() -> None:
    """Benchmarks.

    Example: llmstep bench quality --goals goals.jsonl --lean-project .
    """


bench.command(cls=Command)(runtime)


@bench.command(cls=Command)
@takes_settings(*LEAN)
@takes_part("goals", "quality")
def quality(
    *,
    part_of: Callable[[], Part],
    source: Annotated[Source, typer.Option(help="Whose steps count; lean is Lean's own tactics.")] = "model",
    seed: SeedOption = 0,
    given: Given,
) -> None:
    """Ask once for each goal, and count the steps that Lean accepts.

    Prints the shares of goals with an accepted step and with one that closes the
    goal, and of accepted steps, with 95 % confidence intervals.

    Example: llmstep bench quality --goals goals.jsonl --lean-project . --count 10
    """
    settings = given.settings(automation="off" if source == "model" else "on")
    agree(settings, yes=given.yes)
    from llmstep.bench.quality import Judged, quality_record, run_quality, summarise_quality
    from llmstep.memory import Document

    part = part_of()
    record = quality_record(settings, seed)
    if source != "model":
        record["source"] = source

    def how(result: GoalResult) -> str:
        return f"{result.accepted} of {result.steps} steps accepted, {result.seconds:.1f} s"

    async def work() -> list[GoalResult]:
        async with an_app(settings) as app:

            async def ask(goal: Theorem) -> Judged:
                """What the editor does at a place."""
                started = time.perf_counter()
                shown: list[float] = []

                def on_update(found: SuggestionSet) -> None:
                    if found.best is not None and found.best.check.verdict.accepted:
                        shown.append(time.perf_counter() - started)

                document = Document(goal.uri, 1, goal.text)
                found = await app.suggest(document, goal.position, seed=seed, on_update=on_update)
                steps = (*found.suggestions, *found.rejected)
                if source == "lean":
                    steps = tuple(each for each in steps if each.candidate.chance is not None)
                return Judged(found.model, found.drawn, steps, found.note, shown[0] if shown else None)

            return await run_quality(part.theorems, ask, record, part.results, part.printer(how))

    part.say(summarise_quality(run(work())))


@bench.command(cls=Command)
def merge(
    files: Annotated[list[Path], typer.Argument(help="What `llmstep bench search` or `quality` wrote.")],
    out: Annotated[Path | None, typer.Option(help="File for all results together.")] = None,
    as_json: SummaryOption = False,
) -> None:
    """Put the results of several shards together.

    They must be of one benchmark with one method. A result takes the place of an
    error of another run.

    Example: llmstep bench merge minif2f.*of4.results.jsonl --out minif2f.results.jsonl
    """
    from llmstep.bench.quality import QUALITY, GoalResult, summarise_quality
    from llmstep.bench.results import merge as merged
    from llmstep.bench.search import Result, summarise

    results: list[Any] = merged(files, lambda method: GoalResult if method.get("benchmark") == QUALITY else Result)
    if out is not None:
        out.write_text("".join(result.line() for result in results), encoding="utf-8")
    summary = summarise_quality(results) if isinstance(results[0], GoalResult) else summarise(results)
    if as_json:
        say_json({**attrs.asdict(summary), "files": len(files)})
    else:
        say(summary.text())


@bench.command(cls=Command)
@takes_settings(*PROOFS)
@takes_part("theorems", "results")
def search(
    *,
    part_of: Callable[[], Part],
    expansions: ExpansionsOption = 100,
    tactics: TacticsOption = "model",
    length_power: LengthPowerOption = 0,
    seed: SeedOption = 0,
    given: Given,
) -> None:
    """Prove theorems, one attempt each: by best-first search, or by --strategy.

    Where the options do not say otherwise, 32 samples are drawn for each state,
    and a theorem has 600 seconds. Prints the success rate with its 95 % confidence
    interval (Wilson). Each theorem is a line of the results file.

    Example: llmstep bench search --theorems minif2f.jsonl --lean-project . --shard 1/4
    """
    settings = given.settings(proveSeconds=600, proveStrategy="search", count=32)
    agree(settings, yes=given.yes)
    from llmstep.bench.search import method_record, run_search, summarise
    from llmstep.search.attempt import Plan

    part = part_of()
    plan = Plan.of(
        settings,
        tactics=tactics,
        expansions=expansions,
        samples=settings.count,
        seed=seed,
        length_power=length_power,
        patience=0,
    )
    served = "" if settings.in_process else f"{settings.engine} {settings.remote.model}".rstrip()
    record = method_record(plan, settings.model, served, settings.premises.source, settings.dtype)

    def how(result: Result) -> str:
        written = f"{result.rounds} rounds, " if result.rounds else ""
        return f"{written}{result.expansions} expansions, {result.seconds:.1f} s"

    async def work() -> list[Result]:
        async with an_app(settings) as app:
            return await run_search(part.theorems, app.prover(), plan, record, part.results, part.printer(how))

    part.say(summarise(run(work())))
