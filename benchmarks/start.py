"""How long a process takes from its start to the first answer of a model, next to importing torch alone.

Whole processes in turns: `llmstep suggest` for one goal without Lean, until it has printed its suggestions and ended,
and a Python that imports torch and ends.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from benchmarks.processes import run_python

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_GOAL = "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"


@attrs.frozen
class StartCost:
    """Medians of whole processes, in milliseconds."""

    model: str
    rounds: int
    answer_ms: float
    """From the start of the process to its end, with ten samples of the model in between."""
    import_ms: float
    """The same for a process that only imports torch."""
    ratio: float
    """Of importing torch to an answer: median of the rounds' ratios."""
    suggestions: float
    """Distinct suggestions of an answer."""


def start_cost(model: str, rounds: int, tell: Callable[[str], None] = lambda _: None) -> StartCost:
    """Start processes in turns.

    Raises:
        LlmstepError: One of them failed.
    """
    pairs: list[tuple[float, float]] = []
    found: list[int] = []
    with tempfile.TemporaryDirectory(prefix="llmstep-bench-") as folder:
        goal = Path(folder) / "goal.txt"
        goal.write_text(_GOAL, encoding="utf-8")
        suggest = ["-m", "llmstep", "suggest", "--goal-file", str(goal), "--no-check", "--json", "--model", model]
        for number in range(rounds):
            answer, printed = _seconds(suggest)
            alone, _ = _seconds(["-c", "import torch"])
            found.append(len(json.loads(printed)["suggestions"]))
            pairs.append((answer, alone))
            tell(f"[{number + 1}/{rounds}] {answer:.2f} s, torch alone {alone:.2f} s")
    return StartCost(
        model=model,
        rounds=rounds,
        answer_ms=round(statistics.median(pair[0] for pair in pairs) * 1000, 1),
        import_ms=round(statistics.median(pair[1] for pair in pairs) * 1000, 1),
        ratio=round(statistics.median(pair[1] / pair[0] for pair in pairs), 2),
        suggestions=statistics.fmean(found),
    )


def _seconds(arguments: Sequence[str]) -> tuple[float, str]:
    """How long a Python takes with these arguments, and what it printed."""
    started = time.perf_counter()
    printed = run_python(arguments)
    return time.perf_counter() - started, printed
