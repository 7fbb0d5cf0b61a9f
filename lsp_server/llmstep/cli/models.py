"""`llmstep models` and `models list`: the catalog and the user's own, and which of them are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmstep.cli.command import Command
from llmstep.cli.models_add import add
from llmstep.cli.models_files import download, remove
from llmstep.cli.models_rows import row, size_text, weights_text
from llmstep.cli.models_show import show
from llmstep.printable import json_text, printable
from llmstep.wire.records import to_json

if TYPE_CHECKING:
    from llmstep.wire.models import ModelRow

PIPE_WIDTH = 240
"""Columns of the table when it does not go to a terminal: wide enough for every row to stay on one line."""


JsonOption = Annotated[bool, typer.Option("--json", help="Print a list of objects instead of a table.")]

models = typer.Typer(invoke_without_command=True)


@models.callback()
def _models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the models llmstep knows, or do something about one of them.

    Example: llmstep models show byt5-small
    """
    if context.invoked_subcommand is None:
        list_models(as_json)


def list_models(as_json: JsonOption = False) -> None:
    """List the models llmstep knows, with size, licence and reported result, and whether they are on this machine.

    Results on miniF2F-test are those that the models' authors or others report; llmstep has not measured them.
    Those that you have added come last.

    Example: llmstep models list --json
    """
    from llmstep.catalog.registry import all_records

    rows = [row(record) for record in all_records()]
    if as_json:
        typer.echo(json_text(to_json(rows)))
        return
    _print_table(rows)


models.command("list", cls=Command)(list_models)
for command in (show, download, add, remove):
    models.command(cls=Command)(command)


def _print_table(rows: list[ModelRow]) -> None:
    """One line a model; where a terminal is too narrow for that, a short paragraph a model."""
    from rich.measure import Measurement
    from rich.table import Table

    from llmstep.cli.tables import console_of

    console = console_of(PIPE_WIDTH)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("model", "weights", "size", "licence", "reported miniF2F-test", "reported by", "here", "template"):
        table.add_column(heading, justify="right" if heading in ("weights", "size") else "left", no_wrap=True)
    for each in rows:
        table.add_row(*map(printable, _cells(each)))
    wanted = Measurement.get(console, console.options.update(width=PIPE_WIDTH, max_width=PIPE_WIDTH), table).maximum
    if wanted <= console.width:
        console.print(table)
        return
    for each in rows:
        name, weights, size, licence, score, source, here, template = map(printable, _cells(each))
        console.print(f"[bold]{name}[/bold]", highlight=False)
        console.print(
            f"  weights {weights}, size {size}, licence {licence}, template {template}, here: {here}", highlight=False
        )
        if each.reported_minif2f_test:
            console.print(f"  miniF2F-test: {score}, reported by {source}", highlight=False)


def _cells(each: ModelRow) -> tuple[str, ...]:
    return (
        each.name,
        weights_text(each.parameters),
        size_text(each.size_bytes),
        each.licence or "not stated",
        each.reported_minif2f_test or "-",
        each.source or "-",
        "yes" if each.cached else "no",
        each.template,
    )
