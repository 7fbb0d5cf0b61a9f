"""One thing that was looked at."""

from __future__ import annotations

from typing import Any, Literal

import attrs

Grade = Literal["ok", "note", "missing"]


@attrs.frozen
class Finding:
    """One thing that was looked at."""

    topic: str
    grade: Grade
    """`note`: llmstep works, but this is worth knowing; `missing`: llmstep is not usable without it."""
    text: str
    advice: str = ""
    """What to do, one sentence; there is one with everything that is missing."""
    details: dict[str, Any] = attrs.field(factory=dict)
