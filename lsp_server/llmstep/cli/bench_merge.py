"""`llmstep bench merge`: the results of several machines as one."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from llmstep.cli.say import say
from llmstep.printable import json_text

if TYPE_CHECKING:
    from llmstep.bench.quality import QualitySummary, Share
    from llmstep.bench.search import Summary


def merge(
    files: Annotated[list[Path], typer.Argument(help="What `llmstep bench search` or `quality` wrote.")],
    out: Annotated[Path | None, typer.Option(help="File for all results together.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Put the results of several shards together.

    They must be of one benchmark with one method. A result takes the place of an
    error of another run.

    Example: llmstep bench merge minif2f.*of4.results.jsonl --out minif2f.results.jsonl
    """
    from llmstep.bench.quality import GoalResult, summarise_quality
    from llmstep.bench.results import merge as merged
    from llmstep.bench.search import Result, summarise

    kinds: list[Any] = [Result, GoalResult]
    results = merged(files, kinds)
    if out is not None:
        out.write_text("".join(result.line() for result in results), encoding="utf-8")
    of_search = isinstance(results[0], Result)
    summary: Any = summarise(results, results[0].method) if of_search else summarise_quality(results)
    if as_json:
        typer.echo(json_text({**attrs.asdict(summary), "files": len(files)}))
        return
    say(search_line(summary) if of_search else quality_line(summary))


def search_line(summary: Summary) -> str:
    """The summary of a search benchmark, one line."""
    low, high = summary.interval
    errors = f", {summary.errors} errors" if summary.errors else ""
    return (
        f"{summary.proved} of {summary.theorems} proved: {summary.rate:.1%}"
        f" (95 % confidence: {low:.1%} to {high:.1%}){errors};"
        f" {summary.expansions} expansions, {summary.seconds:.0f} s"
    )


def quality_line(summary: QualitySummary) -> str:
    """The summary of a quality benchmark, a line for each share."""

    def line(what: str, share: Share) -> str:
        low, high = share.interval
        return f"{what}: {share.share:.1%} (95 % confidence: {low:.1%} to {high:.1%})"

    errors = f", {summary.errors} with an error" if summary.errors else ""
    return "\n".join(
        (
            f"{summary.goals} goals{errors}, {summary.seconds:.0f} s, model {summary.model}",
            line("goals with a step that Lean accepts", summary.accepted),
            line("goals with a step that closes them", summary.closed),
            line("goals whose likeliest step is accepted", summary.first),
            line("distinct steps that are accepted", summary.steps),
            *([f"median time to the first accepted step: {summary.shown:.2f} s"] if summary.shown is not None else []),
        )
    )
