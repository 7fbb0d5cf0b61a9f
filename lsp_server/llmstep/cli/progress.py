"""Progress on stderr: a bar in a terminal, lines elsewhere; of a download the bytes and the speed."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from llmstep.printable import printable
from llmstep.progress import Progress as Step
from llmstep.progress import format_bytes

SECONDS_BETWEEN_LINES = 5.0
"""Of a download, where there is no terminal."""
_SECONDS_OF_SPEED = 5.0
"""The speed that is shown is that of the last seconds."""


@contextlib.contextmanager
def shown_progress(
    console: Console | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Step], None]]:
    """A callback that shows the steps of the work; what it showed in a terminal is gone afterwards."""
    # Notebooks set FORCE_COLOR; lines of escape codes in a pipe would hide what a program waits for.
    console = console or Console(stderr=True, force_terminal=sys.stderr.isatty())
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[bytes]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        get_time=clock,
        speed_estimate_period=_SECONDS_OF_SPEED,
    )
    print_line = None if console.is_terminal else _lines(console, clock)
    with bar:
        number = bar.add_task("Starting", total=None, bytes="")
        task = bar.tasks[0]
        stage = ""

        def show(step: Step) -> None:
            nonlocal stage
            if step.stage != stage or step.done < task.completed:  # other work, or another file
                stage = step.stage
                bar.reset(number, total=step.total or None)
            bar.update(number, description=printable(step.message), completed=step.done, total=step.total or None)
            bar.update(number, bytes=_bytes(step, task.speed))
            if print_line is not None:
                print_line(step, task.fields["bytes"])

        yield show


def _bytes(step: Step, speed: float | None) -> str:
    """`420 MB of 1.2 GB, 12 MB/s`; empty where the step is not one of bytes."""
    if step.stage != "download" or not step.total:
        return ""
    known = f"{format_bytes(step.done)} of {format_bytes(step.total)}"
    return known if speed is None else f"{known}, {format_bytes(speed)}/s"


def _lines(console: Console, clock: Callable[[], float]) -> Callable[[Step, str], None]:
    """Prints a line for each new piece of work, and for a download one every few seconds."""
    last = ("", "")
    printed, ended = -SECONDS_BETWEEN_LINES, False

    def show(step: Step, size: str) -> None:
        nonlocal last, printed, ended
        # Each message of a Lean that starts is new; of a message about a proof, what stands before the colon counts.
        news = {"goal": step.message, "write": step.message.partition(":")[0]}
        now = (step.stage, news.get(step.stage, ""))
        whole = bool(size) and step.done >= step.total
        due = bool(size) and (not ended if whole else clock() - printed >= SECONDS_BETWEEN_LINES)
        if now == last and not due:
            return
        last, ended = now, whole
        if due:
            printed = clock()
        line = f"{printable(step.message)}: {size}" if size else f"{printable(step.message)} ..."
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return show
