"""`llmstep bench quality`: of how many goals a single request brings a step that Lean accepts."""

from __future__ import annotations

import contextlib
import time
from functools import partial
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from llmstep.cli.bench_merge import quality_line
from llmstep.cli.bench_theorems import HeaderOption, TheoremsOption, out_option, part_of, shard_option
from llmstep.cli.downloads import agree
from llmstep.cli.engine_flags import LeanFlags, takes_engine
from llmstep.cli.options import CountOption, settings_with
from llmstep.cli.process import an_app, run
from llmstep.cli.say import say
from llmstep.cli.searching import SeedOption  # noqa: TC001 - typer reads the annotations
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from llmstep.app import App
    from llmstep.bench.quality import GoalResult, Judged
    from llmstep.bench.theorems import Theorem
    from llmstep.memory import SuggestionSet
    from llmstep.settings import Settings


@takes_engine
def quality(
    goals: TheoremsOption,
    lean_project: Annotated[Path, typer.Option(help="Folder of the Lean project that the goals are in.")],
    out: Annotated[Path | None, out_option("goals")] = None,
    shard: Annotated[str, shard_option("goals")] = "1/1",
    header: HeaderOption = None,
    count: CountOption = None,
    source: Annotated[
        str, typer.Option(help="Whose steps count: model, lean (Lean's own tactics) or both.", show_default=True)
    ] = "model",
    seed: SeedOption = 0,
    *,
    engine: LeanFlags,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Ask once for each goal, and count the steps that Lean accepts.

    Prints the shares of goals with an accepted step and with one that closes the
    goal, and of accepted steps, with 95 % confidence intervals.

    Example: llmstep bench quality --goals goals.jsonl --lean-project . --count 10
    """
    if source not in ("model", "lean", "both"):
        raise RequestError(f"The source is {source!r}.", hint="It must be model, lean or both.")
    settings = settings_with(engine.settings(count=count, automation=source != "model"))
    agree(settings, yes=engine.yes)
    from llmstep.bench.quality import quality_record, run_quality, summarise_quality

    part = part_of(goals, lean_project, header=header, shard=shard, out=out, kind="quality")
    record = quality_record(settings, seed)
    if source != "model":
        record["source"] = source

    def how(result: GoalResult) -> str:
        return f"{result.accepted} of {result.steps} steps accepted, {result.seconds:.1f} s"

    async def work() -> list[GoalResult]:
        async with _asking(settings, seed, source) as ask:
            return await run_quality(part.theorems, ask, record, part.results, part.printer(how))

    summary = summarise_quality(run(work()))
    if as_json:
        say(part.as_json(summary))
    else:
        say(f"{quality_line(summary)}\nresults in {part.results}")


@contextlib.asynccontextmanager
async def _asking(settings: Settings, seed: int, source: str) -> AsyncIterator[Callable[[Theorem], Awaitable[Judged]]]:
    """What the editor does at a place, engine and Lean included, which are gone afterwards."""
    from llmstep.bench.quality import Judged
    from llmstep.memory import Document

    async def ask(app: App, goal: Theorem) -> Judged:
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

    async with an_app(settings) as app:
        yield partial(ask, app)
