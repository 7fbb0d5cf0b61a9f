"""`llmstep models`, `models list` and `models show`: the catalog and the user's own, and which are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmstep.cli.command import Command
from llmstep.cli.complete import model_names
from llmstep.cli.models_add import add
from llmstep.cli.models_files import download, remove
from llmstep.cli.say import say, say_json
from llmstep.printable import printable
from llmstep.wire.models import ModelPage, ModelRow

if TYPE_CHECKING:
    from llmstep.catalog.models import ModelRecord

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

    rows = [ModelRow(**_fields(record)) for record in all_records()]
    if as_json:
        say_json(rows)
    else:
        _print_table(rows)


def show(
    name: Annotated[str, typer.Argument(help="Catalog name or hub id.", autocompletion=model_names)],
    as_json: Annotated[bool, typer.Option("--json", help="Print an object.")] = False,
) -> None:
    """Show a model: hub id, licence, size, whether it fits this machine, and whether it is recommended for it.

    Example: llmstep models show byt5-small
    """
    from llmstep.catalog.recommended import fits, recommended
    from llmstep.catalog.store import cache_path
    from llmstep.engine.served.launches import this_machine

    record = _record(name)
    hardware, here = this_machine(), cache_path(record)
    found = ModelPage(
        **_fields(record),
        device=hardware.device,
        needed_bytes=record.needed_bytes(hardware.device),
        free_bytes=hardware.memory_bytes,
        fits=fits(record, hardware),
        recommended=record == recommended(hardware).record,
        folder=str(here) if here else None,
    )
    if as_json:
        say_json(found)
    else:
        _print_page(found)


models.command("list", cls=Command)(list_models)
for command in (show, download, add, remove):
    models.command(cls=Command)(command)


def _record(name: str) -> ModelRecord:
    """
    Raises:
        ModelError: There is no such model.
    """
    from llmstep.catalog.gguf import look_up
    from llmstep.catalog.models import ModelRecord
    from llmstep.catalog.registry import find_record
    from llmstep.settings import Settings

    record = find_record(name)
    if record is not None:
        return record
    choice = look_up(Settings(model=name))
    return choice.record or ModelRecord(name=name, repo_id=choice.source, template=choice.template.name, summary="")


def _fields(record: ModelRecord) -> dict[str, Any]:
    """The fields of the `ModelRow` for a model."""
    from llmstep.catalog.store import known_of

    return {
        **known_of(record),
        "id": record.repo_id or None,
        "reported_minif2f_test": record.score,
        "source": record.score_source,
        "added": record.added,
        "stops": record.stops,
    }


def _print_table(rows: list[ModelRow]) -> None:
    """One line a model; where a terminal is too narrow for that, a short paragraph a model."""
    from rich.measure import Measurement

    from llmstep.cli.tables import console_of, grid

    console = console_of(PIPE_WIDTH)
    table = grid("model", "weights", "size", "licence", "reported miniF2F-test", "reported by", "here", "template")
    for column in table.columns:
        column.no_wrap = True
        column.justify = "right" if column.header in ("weights", "size") else "left"
    cells = [tuple(map(printable, _cells(each))) for each in rows]
    for row in cells:
        table.add_row(*row)
    wanted = Measurement.get(console, console.options.update(width=PIPE_WIDTH, max_width=PIPE_WIDTH), table).maximum
    if wanted <= console.width:
        console.print(table)
        return
    for name, weights, size, licence, score, source, here, template in cells:
        reported = f"\n  miniF2F-test: {score}, reported by {source}" if score != "-" else ""
        about = f"weights {weights}, size {size}, licence {licence}, template {template}, here: {here}"
        console.print(f"[bold]{name}[/bold]\n  {about}{reported}", highlight=False)


def _cells(each: ModelRow) -> tuple[str, ...]:
    return (
        each.name,
        _weights(each.parameters),
        _size(each.size_bytes),
        each.licence or "not stated",
        each.reported_minif2f_test or "-",
        each.source or "-",
        "yes" if each.cached else "no",
        each.template,
    )


def _print_page(found: ModelPage) -> None:
    needed, free = found.needed_bytes, _size(found.free_bytes or 0)
    about = f"; needs about {_size(needed)} on {found.device}, {free} are free" if needed else ""
    reported = found.reported_minif2f_test
    lines = {
        "model": found.name,
        "hub id": found.id or "none, it comes with llmstep",
        "about": found.summary,
        "licence": found.licence or "not stated",
        "weights": _weights(found.parameters),
        "size": _size(found.size_bytes),
        "fits": {True: "yes", False: "no", None: "not known"}[found.fits] + about,
        "recommended": "yes, for this machine" if found.recommended else "no",
        "miniF2F-test": f"{reported}, reported by {found.source}" if reported else "",
        "template": found.template,
        "own code": "yes, which runs only if you allow it (trustRemoteCode)" if found.trust_remote_code else "",
        "here": (found.folder or "yes") if found.cached else "no",
    }
    for heading, text in lines.items():
        if text:
            say(f"{heading + ':':14}{text}")
    if not found.cached:
        say(f"Download it with: llmstep models download {found.name}")


def _weights(count: int | None) -> str:
    """`300 M`."""
    if count is None:
        return "-"
    return f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.3g} M"


def _size(size: int | None) -> str:
    """`1.2 GB`."""
    from llmstep.progress import format_bytes

    return "-" if size is None else format_bytes(size)
