"""Progress on stderr: a bar in a terminal, lines elsewhere; of a download the bytes and the speed."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

import attrs
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from llmstep.printable import printable
from llmstep.progress import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmstep.progress import Progress as Step

SECONDS_BETWEEN_LINES = 5.0
"""Of a download, where there is no terminal."""
_SECONDS_OF_SPEED = 5.0
"""The speed that is shown is that of the last seconds."""


@attrs.define
class Speed:
    """How fast bytes come."""

    clock: Callable[[], float] = time.monotonic
    _seen: list[tuple[float, int]] = attrs.field(factory=list)

    def text(self, step: Step) -> str:
        """`420 MB of 1.2 GB, 12 MB/s`; empty where the step is not one of bytes."""
        if step.stage != "download" or not step.total:
            return ""
        now = self.clock()
        if self._seen and step.done < self._seen[-1][1]:
            self._seen.clear()  # another file
        self._seen.append((now, step.done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _SECONDS_OF_SPEED:
            del self._seen[0]
        since, done = self._seen[0]
        known = f"{format_bytes(step.done)} of {format_bytes(step.total)}"
        if now <= since:
            return known
        return f"{known}, {format_bytes((step.done - done) / (now - since))}/s"


@contextlib.contextmanager
def shown_progress(
    console: Console | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Step], None]]:
    """A callback that shows the steps of the work; what it showed in a terminal is gone afterwards."""
    # Notebooks set FORCE_COLOR; lines of escape codes in a pipe would hide what a program waits for.
    console = console or Console(stderr=True, force_terminal=sys.stderr.isatty())
    if not console.is_terminal:
        yield _lines(console, clock)
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task("Starting", total=None, speed="")
        stage = ""
        speed = Speed(clock)

        def show(step: Step) -> None:
            nonlocal stage
            if step.stage != stage:
                stage = step.stage
                bar.reset(task, description=printable(step.message), total=step.total or None)
            words = printable(step.message)
            bar.update(task, description=words, completed=step.done, total=step.total or None, speed=speed.text(step))

        yield show


def _lines(console: Console, clock: Callable[[], float]) -> Callable[[Step], None]:
    last = ("", "")
    speed = Speed(clock)
    shown, ended = -SECONDS_BETWEEN_LINES, False

    def show(step: Step) -> None:
        nonlocal last, shown, ended
        # What Lean says while it starts is all new; what is said of a proof is, but for how far it is.
        news = {"goal": step.message, "write": step.message.partition(":")[0]}
        now = (step.stage, news.get(step.stage, ""))
        come = speed.text(step)
        whole = bool(come) and step.done >= step.total
        due = bool(come) and (not ended if whole else clock() - shown >= SECONDS_BETWEEN_LINES)
        if now == last and not due:
            return
        last, ended = now, whole
        if due:
            shown = clock()
        line = f"{printable(step.message)}: {come}" if come else f"{printable(step.message)} ..."
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return show
