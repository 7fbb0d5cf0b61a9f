"""`llmstep bench`: benchmarks."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from llmstep.cli.bench_merge import merge, search_line
from llmstep.cli.bench_quality import quality
from llmstep.cli.bench_runtime import runtime
from llmstep.cli.bench_theorems import HeaderOption, TheoremsOption, out_option, part_of, shard_option
from llmstep.cli.command import Command
from llmstep.cli.downloads import agree
from llmstep.cli.engine_flags import PremiseFlags, takes_engine
from llmstep.cli.options import settings_with
from llmstep.cli.process import run
from llmstep.cli.searching import (
    SAMPLES,
    ExpansionsOption,
    LengthPowerOption,
    RoundsOption,
    SamplesOption,
    SeedOption,
    StrategyOption,
    TacticsOption,
    TimeoutOption,
    TokensOption,
    a_prover,
    method_of,
    plan_of,
)

if TYPE_CHECKING:
    from llmstep.bench.search import Result

bench = typer.Typer(no_args_is_help=True)


@bench.callback()
def _bench() -> None:
    """Benchmarks.

    Example: llmstep bench quality --goals goals.jsonl --lean-project .
    """


bench.command(cls=Command)(merge)
bench.command(cls=Command)(quality)
bench.command(cls=Command)(runtime)


@bench.command(cls=Command)
@takes_engine
def search(
    theorems: TheoremsOption,
    lean_project: Annotated[Path, typer.Option(help="Folder of the Lean project that statements are proved in.")],
    out: Annotated[Path | None, out_option("theorems")] = None,
    shard: Annotated[str, shard_option("theorems")] = "1/1",
    header: HeaderOption = None,
    expansions: ExpansionsOption = 100,
    count: SamplesOption = 32,
    timeout: TimeoutOption = 600,
    tactics: TacticsOption = "model",
    strategy: StrategyOption = "search",
    rounds: RoundsOption = None,
    tokens: TokensOption = None,
    length_power: LengthPowerOption = 0,
    seed: SeedOption = 0,
    *,
    engine: PremiseFlags,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Prove theorems, one attempt each: by best-first search, or by --strategy.

    Prints the success rate with its 95 % confidence interval (Wilson).
    Each theorem is a line of the results file.

    Example: llmstep bench search --theorems minif2f.jsonl --lean-project . --shard 1/4
    """
    settings = settings_with(engine.settings())
    agree(settings, yes=engine.yes)
    from llmstep.bench.search import method_record, run_search, summarise

    part = part_of(theorems, lean_project, header=header, shard=shard, out=out, kind="results")
    method = method_of(
        settings,
        tactics=tactics,
        expansions=expansions,
        seconds=timeout,
        samples=count or SAMPLES,
        seed=seed,
        length_power=length_power,
        patience=0,
    )
    served = "" if settings.in_process else f"{settings.engine} {settings.remote.model}".rstrip()
    plan = plan_of(settings, method, strategy=strategy, rounds=rounds, tokens=tokens)
    record = method_record(plan, settings.model, served, settings.premises.source, settings.dtype)

    def how(result: Result) -> str:
        written = f"{result.rounds} rounds, " if result.rounds else ""
        return f"{written}{result.expansions} expansions, {result.seconds:.1f} s"

    async def work() -> list[Result]:
        async with a_prover(settings) as prover:
            return await run_search(part.theorems, prover, plan, record, part.results, part.printer(how))

    summary = summarise(run(work()), record)
    if as_json:
        typer.echo(part.as_json(summary))
    else:
        typer.echo(f"{search_line(summary)}; results in {part.results}")
