"""`llmstep bench quality`: of how many goals a single request brings a step that Lean accepts."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from llmstep.cli.bench_merge import quality_told
from llmstep.cli.engine_flags import EngineFlags, takes_engine
from llmstep.cli.options import (
    CountOption,
    DeviceOption,
    LeanOption,
    ModelOption,
    TemperatureOption,
    TemplateOption,
    lean_command,
    settings_with,
)
from llmstep.cli.process import close_soon, run
from llmstep.cli.searching import SeedOption  # noqa: TC001 - typer reads the annotations
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from llmstep.bench.quality import GoalResult, Judged
    from llmstep.bench.theorems import Theorem
    from llmstep.settings import Settings


@takes_engine
def quality(
    goals: Annotated[
        Path,
        typer.Option(
            help='JSONL of {"name", "statement", "header"} or {"file", "line", "column"}.', show_default=False
        ),
    ],
    lean_project: Annotated[Path, typer.Option(help="Folder of the Lean project that the goals are in.")],
    out: Annotated[
        Path | None,
        typer.Option(help="JSONL for the results; a run goes on where it stopped. Default: beside the goals' name."),
    ] = None,
    shard: Annotated[str, typer.Option(help="Part i/n of the goals, for one of n machines.")] = "1/1",
    header: Annotated[
        Path | None, typer.Option(help="File with what stands above statements without a header, imports for example.")
    ] = None,
    count: CountOption = None,
    model: ModelOption = None,
    template: TemplateOption = None,
    device: DeviceOption = None,
    temperature: TemperatureOption = None,
    seed: SeedOption = 0,
    *,
    engine: EngineFlags,
    lean: LeanOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Ask once for each goal, and count the steps that Lean accepts.

    Prints the shares of goals with an accepted step and with one that closes the
    goal, and of accepted steps, with 95 % confidence intervals.

    Example: llmstep bench quality --goals goals.jsonl --lean-project . --count 10
    """
    settings = settings_with(
        {
            "model": model,
            "template": template,
            "device": device,
            "count": count,
            "temperature": temperature,
            "lean.command": lean_command(lean),
            **engine.settings(),
        }
    )
    from llmstep.bench.quality import quality_record, run_quality, summarise_quality
    from llmstep.bench.theorems import read_theorems, shard_of
    from llmstep.cli.suggest import read_text

    if not lean_project.is_dir():
        raise RequestError(f"{lean_project} is no folder.", hint="Give that of the Lean project.")
    every = read_theorems(goals, lean_project, read_text(header) if header else "")
    chosen = shard_of(every, shard)
    out = out or Path(f"{goals.stem}.{shard.replace('/', 'of')}.quality.jsonl")
    record = quality_record(settings, seed)
    done = 0

    def tell(result: GoalResult, old: bool) -> None:
        nonlocal done
        done += 1
        outcome = f"{result.outcome} ({result.message})" if result.message else result.outcome
        how = "known" if old else f"{result.accepted} of {result.steps} steps accepted, {result.seconds:.1f} s"
        typer.echo(f"[{done}/{len(chosen)}] {result.name}: {outcome}, {how}", err=True)

    async def work() -> list[GoalResult]:
        async with _asking(settings, seed) as ask:
            return await run_quality(chosen, ask, record, out, tell)

    summary = summarise_quality(run(work()))
    if as_json:
        more = {"shard": shard, "results": str(out)}
        typer.echo(json.dumps({**attrs.asdict(summary), **more}, ensure_ascii=False, indent=2))
    else:
        typer.echo(f"{quality_told(summary)}\nresults in {out}")


@contextlib.asynccontextmanager
async def _asking(settings: Settings, seed: int) -> AsyncIterator[Callable[[Theorem], Awaitable[Judged]]]:
    """What the editor does at a place, engine and Lean included, which are gone afterwards."""
    from llmstep.assistant import Assistant, Document
    from llmstep.engine.switching import SwitchingEngine
    from llmstep.lean.workspace import LeanWorkspace

    engine = SwitchingEngine(settings)
    lean = LeanWorkspace(settings)
    assistant = Assistant(settings, engine, lean)

    async def ask(goal: Theorem) -> Judged:
        found = await assistant.suggest(Document(goal.uri, 1, goal.text), goal.position, seed=seed)
        return found.model, found.drawn, (*found.suggestions, *found.rejected), found.note

    try:
        yield ask
    finally:
        await lean.close()
        await close_soon(engine)
