"""How far a piece of work is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS_BETWEEN_STEPS = 0.1
"""Decoding steps are reported this often at most."""

Stage = Literal["download", "load", "generate", "check", "goal", "search", "write"]


@attrs.frozen
class Progress:
    """One report about a piece of work, for a status line or a progress bar."""

    stage: Stage
    message: str
    """What is being done, as a short phrase without a full stop."""
    done: int = 0
    """How much of `total` is done: bytes with `download`, tensors with `load`, decoding steps with `generate`,
    expanded states with `search`."""
    total: int = 0
    """0 while it is not known."""

    @property
    def percent(self) -> int | None:
        """Whole percent from 0 to 100, or None while the total is not known."""
        return min(100, self.done * 100 // self.total) if self.total > 0 else None


def thinned(report: Callable[[Progress], None]) -> Callable[[int, int], None]:
    """Turns numbers of decoding steps, done and most, into reports, not more often than anyone could read them."""
    told = 0.0

    def on_step(done: int, most: int) -> None:
        nonlocal told
        now = time.perf_counter()
        if now - told >= SECONDS_BETWEEN_STEPS:
            told = now
            report(Progress("generate", "Generating", done, most))

    return on_step


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
