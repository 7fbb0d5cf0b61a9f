"""`python -m benchmarks capacity`: how many people a set-up holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from llmstep.cli.say import say
from llmstep.errors import RequestError
from llmstep.printable import json_text

if TYPE_CHECKING:
    from benchmarks.capacity import Capacity, Setup

_HINT = "Give NAME=SECONDS, or NAME=SECONDS,SECONDS,… for several measured times."


def capacity(
    service: Annotated[
        list[str] | None,
        typer.Option(help="NAME=SECONDS,…: measured times of one request that is alone; may be repeated."),
    ] = None,
    runtime: Annotated[
        list[Path] | None, typer.Option(help="What `llmstep bench runtime --json` printed; may be repeated.")
    ] = None,
    replicas: Annotated[str, typer.Option(help="Copies of the model, each at its own: 1,2,4 for several rows.")] = "1",
    together: Annotated[int, typer.Option(min=1, help="Most requests that a copy works at at a time.")] = 1,
    slowdown: Annotated[
        float,
        typer.Option(
            min=0, help="How much each further request slows a copy's others: 0 not at all, 1 by its whole time."
        ),
    ] = 1.0,
    think: Annotated[
        float, typer.Option(min=0.1, help="Mean seconds between an answer and one person's next request.")
    ] = 20.0,
    limit: Annotated[float, typer.Option(min=0.001, help="Seconds within which 95 % of the answers come.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Another one draws other random numbers.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Simulate how many people one server holds, from measured times.

    Each person thinks (exponentially distributed), asks, waits, and thinks again.
    Requests wait in one queue. Lean's checks and the network are not in it.

    Example: python -m benchmarks capacity --service starter=0.05 --replicas 1,2 --think 20
    """
    from benchmarks.capacity import Setup, capacity

    measured = [*map(_service, service or ()), *map(_runtime, runtime or ())]
    if not measured:
        raise RequestError("There are no measured times.", hint=_HINT + " Or give --runtime.")
    rows = [
        capacity(
            Setup(name=name, seconds=seconds, replicas=number, together=together, slowdown=slowdown),
            think=think,
            limit=limit,
            seed=seed,
        )
        for name, seconds in measured
        for number in _numbers(replicas)
    ]
    if as_json:
        record = {"think": think, "limit": limit, "seed": seed, "rows": [attrs.asdict(row) for row in rows]}
        typer.echo(json_text(record))
        return
    say(f"| set-up | copies | together | mean alone (s) | people at p95 <= {limit:g} s | p50 (s) | p95 (s) | busy |")
    say("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        say(_told(row))


def _told(row: Capacity) -> str:
    setup: Setup = row.setup
    shown = f"{row.load.p50:.2f} | {row.load.p95:.2f} | {row.load.busy:.0%}"
    return f"| {setup.name} | {setup.replicas} | {setup.together} | {setup.mean:.2f} | {row.users} | {shown} |"


def _service(given: str) -> tuple[str, list[float]]:
    name, equals, rest = given.rpartition("=")
    try:
        seconds = [float(each) for each in rest.split(",")]
    except ValueError:
        seconds = []
    if not equals or not name or not seconds or not all(0 < each < 1e6 for each in seconds):
        raise RequestError(f"{given!r} names no times.", hint=_HINT)
    return name, seconds


def _runtime(file: Path) -> tuple[str, list[float]]:
    """The model of a report, and the median time of each of its cases for goals not seen before."""
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        return f"{report['model']} ({report['dtype']})", [float(case["ours"]["median"]) for case in report["cases"]]
    except OSError as error:
        raise RequestError(f"The file {file} cannot be read: {error.strerror}.", hint="Give another file.") from None
    except (ValueError, KeyError, TypeError):
        raise RequestError(
            f"{file} is no report of `llmstep bench runtime`.", hint="Write one: llmstep bench runtime --json > FILE"
        ) from None


def _numbers(given: str) -> list[int]:
    numbers = [int(each) if each.strip().isdecimal() else 0 for each in given.split(",")]
    if not all(1 <= each <= 1000 for each in numbers):
        raise RequestError(f"{given!r} are no numbers of copies.", hint="Give 1, or 1,2,4 for three rows each.")
    return numbers
