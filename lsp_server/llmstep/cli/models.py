"""`llmstep models`: the catalog and the user's own models as a table, and which of them are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from llmstep.cli.models_add import add, remove
from llmstep.printable import json_text, printable

if TYPE_CHECKING:
    from llmstep.catalog.models import ModelRecord

PIPE_WIDTH = 240
"""Columns of the table when it does not go to a terminal: wide enough for every row to stay on one line."""


models = typer.Typer(help="The models llmstep knows; add and remove your own.", invoke_without_command=True)
models.command()(add)
models.command()(remove)


@models.callback()
def _models(
    context: typer.Context,
    as_json: bool = typer.Option(False, "--json", help="Print a list of objects instead of a table."),
) -> None:
    """List the models llmstep knows, with size, licence and reported result, and whether they are on this machine.

    Results on miniF2F-test are those that the models' authors or others report; llmstep has not measured them.
    Those that you have added come last.
    """
    if context.invoked_subcommand is not None:
        return
    from llmstep.catalog.registry import all_records

    rows = [_row(record) for record in all_records()]
    if as_json:
        typer.echo(json_text(rows))
        return
    _print_table(rows)


def _row(record: ModelRecord) -> dict[str, Any]:
    from llmstep.catalog import store

    return {
        "name": record.name,
        "id": record.repo_id or None,
        "parameters": store.parameters(record),
        "size_bytes": store.size_bytes(record),
        "licence": record.licence,
        "reported_minif2f_test": record.score,
        "source": record.score_source,
        "cached": store.is_cached(record),
        "template": record.template,
        "trust_remote_code": record.trust_remote_code,
        "added": record.added,
        "stops": list(record.stops),
        "summary": record.summary,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    """One line a model; where a terminal is too narrow for that, a short paragraph a model."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("model", "weights", "size", "licence", "reported miniF2F-test", "reported by", "here", "template"):
        table.add_column(heading, justify="right" if heading in ("weights", "size") else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(printable, _cells(row)))
    wanted = Measurement.get(console, console.options.update(width=PIPE_WIDTH, max_width=PIPE_WIDTH), table).maximum
    if wanted <= console.width:
        console.print(table)
        return
    for row in rows:
        name, weights, size, licence, score, source, here, template = map(printable, _cells(row))
        console.print(f"[bold]{name}[/bold]", highlight=False)
        console.print(
            f"  weights {weights}, size {size}, licence {licence}, template {template}, here: {here}", highlight=False
        )
        if row["reported_minif2f_test"]:
            console.print(f"  miniF2F-test: {score}, reported by {source}", highlight=False)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        _weights(row["parameters"]),
        _size(row["size_bytes"]),
        row["licence"] or "not stated",
        row["reported_minif2f_test"] or "-",
        row["source"] or "-",
        "yes" if row["cached"] else "no",
        row["template"],
    )


def _weights(count: int | None) -> str:
    if count is None:
        return "-"
    return f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.3g} M"


def _size(size: int | None) -> str:
    if size is None:
        return "-"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
