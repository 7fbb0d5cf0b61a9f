"""`llmstep models show`: all that is known about one model, and whether this machine can run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmstep.cli.complete import model_names
from llmstep.cli.say import say
from llmstep.printable import json_text
from llmstep.wire.records import to_json

if TYPE_CHECKING:
    from llmstep.catalog.models import ModelRecord
    from llmstep.catalog.recommended import Hardware
    from llmstep.wire.models import ModelPage


def show(
    name: Annotated[str, typer.Argument(help="Catalog name or hub id.", autocompletion=model_names)],
    as_json: Annotated[bool, typer.Option("--json", help="Print an object.")] = False,
) -> None:
    """Show a model: hub id, licence, size, whether it fits this machine, and whether it is recommended for it.

    Example: llmstep models show byt5-small
    """
    from llmstep.cli.models_rows import row_fields
    from llmstep.engine.served.choice import this_machine
    from llmstep.wire.models import ModelPage

    record = _record(name)
    hardware = this_machine()
    found = ModelPage(**row_fields(record), **_fitness(record, hardware))
    if as_json:
        typer.echo(json_text(to_json(found)))
    else:
        _print(found, hardware)


def _record(name: str) -> ModelRecord:
    """
    Raises:
        ModelError: There is no such model.
    """
    from llmstep.catalog.models import ModelRecord
    from llmstep.catalog.registry import find_record
    from llmstep.catalog.resolve import resolve
    from llmstep.settings import Settings

    record = find_record(name)
    if record is not None:
        return record
    choice = resolve(Settings(model=name))
    return choice.record or ModelRecord(name=name, repo_id=choice.source, template=choice.template.name, summary="")


def _fitness(record: ModelRecord, hardware: Hardware) -> dict[str, Any]:
    from llmstep.catalog.recommended import fits, recommended
    from llmstep.catalog.store import cache_path

    here = cache_path(record)
    return {
        "device": hardware.device,
        "needed_bytes": record.needed_bytes(hardware.device),
        "free_bytes": hardware.memory_bytes,
        "fits": fits(record, hardware),
        "recommended": record == recommended(hardware),
        "folder": str(here) if here else None,
    }


def _print(found: ModelPage, hardware: Hardware) -> None:
    from llmstep.cli.models_rows import size_text, weights_text
    from llmstep.progress import format_bytes

    needed, free = found.needed_bytes, format_bytes(hardware.memory_bytes or 0)
    about = f"needs about {format_bytes(needed)} on {hardware.device}, {free} are free" if needed else ""
    fits = {True: "yes", False: "no", None: "not known"}[found.fits]
    lines = {
        "model": found.name,
        "hub id": found.id or "none, it comes with llmstep",
        "about": found.summary,
        "licence": found.licence or "not stated",
        "weights": weights_text(found.parameters),
        "size": size_text(found.size_bytes),
        "fits": f"{fits}; {about}" if about else fits,
        "recommended": "yes, for this machine" if found.recommended else "no",
        "miniF2F-test": f"{found.reported_minif2f_test}, reported by {found.source}"
        if found.reported_minif2f_test
        else "",
        "template": found.template,
        "own code": "yes, which runs only if you allow it (trustRemoteCode)" if found.trust_remote_code else "",
        "here": (found.folder or "yes") if found.cached else "no",
    }
    for heading, text in lines.items():
        if text:
            say(f"{heading + ':':14}{text}")
    if not found.cached:
        say(f"Download it with: llmstep models download {found.name}")
