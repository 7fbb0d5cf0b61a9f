"""How far a piece of work is."""

from __future__ import annotations

from typing import Literal

import attrs

Stage = Literal["download", "load", "generate", "check", "goal", "search"]


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


def format_bytes(count: float) -> str:
    """`1.4 GB`, `310 MB`: powers of ten, as model pages and disks have them."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB" if count < 999.95 else f"{count / 1000:.1f} TB"
