"""`python -m benchmarks editor`: what an editor waits for."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer
from rich.console import Console
from rich.table import Table

from llmstep.cli.options import lean_command
from llmstep.cli.process import run
from llmstep.cli.tables import PIPE_WIDTH
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.editor import Latency, Length, Plan, Trips
    from benchmarks.windows import Windows

PARTS = ("latency", "length", "windows")


def editor(
    model: Annotated[str, typer.Option("--model", "-m", help="The model that answers.")] = "starter",
    lean: Annotated[str | None, typer.Option(help="Command of the Lean server.")] = None,
    only: Annotated[str | None, typer.Option(help=f"One part: {', '.join(PARTS)}.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few rounds, to see that all works.")] = False,
    picture: Annotated[Path | None, typer.Option(help="SVG file for charts of length and windows.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Time what an editor waits for, with whole companions: requests while the model generates, long files, windows.

    Without --lean the goals come from the client and nothing is checked.

    Example: python -m benchmarks editor --lean "lean --server"
    """
    if only is not None and only not in PARTS:
        raise RequestError(f"There is no part called {only}.", hint=f"There are {', '.join(PARTS)}.")
    if picture is not None and only == "latency":
        raise RequestError("The part latency has no picture.", hint="Leave --picture out.")
    from benchmarks.editor import QUICK, Plan

    plan = QUICK if quick else Plan()
    found = run(_measure(model, lean_command(lean), plan, PARTS if only is None else (only,)))
    if picture is not None:
        picture.write_text(_charts(found, model), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps({"model": model, "lean": lean is not None, **_plain(found)}, indent=2))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    for table in _tables(found):
        console.print(table)


async def _measure(model: str, lean: Sequence[str] | None, plan: Plan, parts: Sequence[str]) -> dict[str, Any]:
    """The parts by their names."""
    from benchmarks import editor as bench
    from benchmarks import windows as many

    def tell(line: str) -> None:
        typer.echo(line, err=True)

    alone = bench.options(model, lean)
    found: dict[str, Any] = {}
    with _folder() as folder:  # not around `run`, which ends the process when it is interrupted
        if "latency" in parts:
            found["latency"] = await bench.latency(folder, alone, plan, tell)
        if "length" in parts:
            found["length"] = await bench.lengths(folder, alone, plan, tell)
        if "windows" in parts:
            shared = bench.options(model, lean, port=many.free_port())
            found["windows"] = await many.windows(folder, shared, plan, tell)
    return found


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Where the files would be; none of them exists on disk."""
    with tempfile.TemporaryDirectory(prefix="llmstep-bench-") as made:
        yield Path(made).resolve()


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [attrs.asdict(each) for each in part] if isinstance(part, list) else attrs.asdict(part)
        for name, part in found.items()
    }


def _tables(found: dict[str, Any]) -> list[Table]:
    makers: dict[str, Callable[[Any], Table]] = {"latency": _latency, "length": _length, "windows": _windows}
    return [makers[name](part) for name, part in found.items()]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def _latency(part: Latency) -> Table:
    title = f"Round trips in ms; {part.runs} runs ended while the model generated"
    table = _table(title, "request", "times", "at rest", "p99", "generating", "p99", "worst")
    names = (("typing", "change"), ("code actions", "action"), ("inlay hints", "hint"))
    for name, field in names:
        rest, busy = getattr(part.rest, field), getattr(part.generating, field)
        cells = (rest.median_ms, rest.p99_ms, busy.median_ms, busy.p99_ms, busy.worst_ms)
        table.add_row(name, str(busy.count), *(f"{each:.1f}" for each in cells))
    return table


def _length(part: list[Length]) -> Table:
    title = "Round trips in ms and times to suggestions in s, at the end of a file"
    columns = ("typing", "p99", "code actions", "p99", "inlay hints", "p99", "first answer", "after an edit")
    table = _table(title, "lines", *columns)
    for row in part:
        table.add_row(str(row.lines), *_cells(row.trips), f"{row.first_seconds:.2f}", f"{row.again_seconds:.2f}")
    return table


def _cells(trips: Trips) -> list[str]:
    kinds = (trips.change, trips.action, trips.hint)
    return [f"{each:.1f}" for kind in kinds for each in (kind.median_ms, kind.p99_ms)]


def _windows(part: list[Windows]) -> Table:
    title = "Windows that ask at the same moment: seconds to the answer, and MB of each companion"
    table = _table(title, "windows", "answers", "median", "worst", "first: RSS", "PSS", "others: RSS", "PSS")
    for row in part:
        first, *others = row.memory
        cells = [
            _mb(first.rss),
            _mb(first.pss),
            _mb(*(each.rss for each in others)),
            _mb(*(each.pss for each in others)),
        ]
        table.add_row(
            str(row.windows), str(row.answers), f"{row.median_seconds:.2f}", f"{row.worst_seconds:.2f}", *cells
        )
    return table


def _mb(*values: float | None) -> str:
    """The mean."""
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.0f}" if known else "-"


def _charts(found: dict[str, Any], model: str) -> str:
    from benchmarks.picture import charts

    panels: list[tuple[str, str, list[tuple[float, float]]]] = []
    lengths: list[Length] = found.get("length", [])
    if lengths:
        actions = [(float(row.lines), row.trips.action.median_ms / 1000) for row in lengths]
        answers = [(float(row.lines), row.again_seconds) for row in lengths]
        panels += [("code actions after typing", "lines", actions), (f"{model}: suggestions", "lines", answers)]
    windows: list[Windows] = found.get("windows", [])
    if windows:
        points = [(float(row.windows), row.median_seconds) for row in windows]
        panels.append((f"{model}: suggestions, all at once", "windows", points))
    return charts(panels)
