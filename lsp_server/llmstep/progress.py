"""How far a piece of work is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import attrs

SECONDS_BETWEEN_STEPS = 0.1
"""Decoding steps are reported this often at most."""

Stage = Literal["download", "load", "generate", "check", "goal", "search", "write", "measure"]


@attrs.frozen
class Progress:
    """One report about a piece of work, for a status line or a progress bar."""

    stage: Stage
    message: str
    """What is being done, as a short phrase without a full stop."""
    done: int = 0
    """How much of `total` is done: bytes with `download`, tensors with `load`, decoding steps with `generate`,
    expanded states with `search`, rounds with `measure`."""
    total: int = 0
    """0 while it is not known."""

    @property
    def percent(self) -> int | None:
        """Whole percent from 0 to 100, or None while the total is not known."""
        return min(100, self.done * 100 // self.total) if self.total > 0 else None


ProgressSink = Callable[[Progress], None]
"""Takes how far a piece of work is. It is called in the thread that does the work, and returns at once."""


def silent(_: Progress) -> None:
    """The sink of work that nobody watches."""


def generating(done: int, total: int) -> Progress:
    """How many decoding steps of a draw are done, of `total` at most."""
    return Progress("generate", "Generating", done, total)


def thinned(progress: ProgressSink) -> ProgressSink:
    """A sink that passes on decoding steps, not more often than anyone could read them."""
    last = 0.0

    def pass_on(update: Progress) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= SECONDS_BETWEEN_STEPS:
            last = now
            progress(update)

    return pass_on


def format_bytes(count: float) -> str:
    """`1.4 GB`, `310 MB`: powers of ten, as model pages and disks have them."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB" if count < 999.95 else f"{count / 1000:.1f} TB"


def since(started: float) -> float:
    """Milliseconds since a `time.perf_counter()`, to a tenth."""
    return round((time.perf_counter() - started) * 1000, 1)
