"""Progress on stderr: a bar in a terminal, one line a step elsewhere."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from llmstep.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmstep.engine.progress import Progress as Step


@contextlib.contextmanager
def shown_progress(console: Console | None = None) -> Iterator[Callable[[Step], None]]:
    """A callback that shows the steps of the work; what it showed in a terminal is gone afterwards."""
    # Notebooks set FORCE_COLOR; lines of escape codes in a pipe would hide what a program waits for.
    console = console or Console(stderr=True, force_terminal=sys.stderr.isatty())
    if not console.is_terminal:
        yield _lines(console)
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task("Starting", total=None)
        stage = ""

        def show(step: Step) -> None:
            nonlocal stage
            if step.stage != stage:
                stage = step.stage
                bar.reset(task, description=printable(step.message), total=step.total or None)
            bar.update(task, description=printable(step.message), completed=step.done, total=step.total or None)

        yield show


def _lines(console: Console) -> Callable[[Step], None]:
    last = ("", "")

    def show(step: Step) -> None:
        nonlocal last
        now = (step.stage, step.message if step.stage == "goal" else "")  # what Lean says while it starts is all new
        if now != last:
            last = now
            console.print(f"{printable(step.message)} ...", markup=False, highlight=False, soft_wrap=True)

    return show
