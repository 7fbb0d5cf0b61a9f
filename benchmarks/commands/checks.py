"""The program `checks`: what one check costs beside the bare round trip."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import attrs
import typer

from llmstep.cli.flags import Given, takes_settings
from llmstep.cli.process import run


@takes_settings("lean")
def checks(
    above: Annotated[list[int] | None, typer.Option(help="Theorems above the goal; may be repeated.")] = None,
    candidates: Annotated[int, typer.Option(min=3, help="Candidates judged for each length.")] = 40,
    *,
    given: Given,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Time one candidate's check next to a bare didChange and plainGoal, on the same server.

    Prints medians for files with no, 100 and 300 theorems above the goal, or as many as --above says.
    """
    settings = given.settings()
    from benchmarks.checks import check_costs

    with tempfile.TemporaryDirectory(prefix="llmstep-bench-") as folder:
        costs = run(check_costs(settings, Path(folder).resolve(), above or (0, 100, 300), candidates))
    if as_json:
        typer.echo(json.dumps([attrs.asdict(cost) for cost in costs], indent=2))
        return
    typer.echo("theorems above | open, once (ms) | check (ms) | bare (ms) | check / bare | waited (ms)")
    for cost in costs:
        times = f"{cost.open_ms:15.0f} | {cost.check_ms:10.1f} | {cost.bare_ms:9.1f}"
        typer.echo(f"{cost.theorems_above:14} | {times} | {cost.ratio:12.2f} | {cost.waited_ms:11.1f}")
