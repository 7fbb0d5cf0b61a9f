"""What the real Lean says about first steps: refused, accepted, or closing the goal."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starter.lean_run import first_goal, messages

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_ONCE = 30
"""Trials in one file: Lean stops after a hundred errors."""


@dataclass(frozen=True)
class Trial:
    """A tactic to be run as the first step of ``example statement``."""

    statement: str
    tactic: str


def first_goals(lean: Sequence[str], statements: Sequence[str]) -> list[str]:
    """The goal of each statement as Lean prints it.

    Raises:
        ValueError: Lean does not accept a statement.
    """
    lines = ["set_option linter.all false"]
    for statement in statements:
        lines += [f"example {statement} := by", "  trace_state", "  sorry"]
    goals: dict[int, str] = {}
    for message in messages(lean, "\n".join(lines) + "\n"):
        number = (int(message["pos"]["line"]) - 2) // 3  # type: ignore[index]
        if message["severity"] == "error":
            raise ValueError(f"Lean refuses the statement {statements[number]!r}: {message['data']}")
        if message["severity"] == "information":
            goals[number] = first_goal(str(message["data"]))
    return [goals[number] for number in range(len(statements))]


def judge(lean: Sequence[str], trials: Sequence[Trial]) -> list[str]:
    """For each trial ``closes``, ``progress`` or ``invalid``.

    A step is accepted when Lean reports nothing against it, it has no ``sorry``, and it changes the state. It closes
    when no goal is left. The step stands in parentheses, so that a text that is not one tactic block is refused.
    """
    return [
        verdict
        for start in range(0, len(trials), _AT_ONCE)
        for verdict in _judge(lean, trials[start : start + _AT_ONCE])
    ]


def _judge(lean: Sequence[str], trials: Sequence[Trial]) -> list[str]:
    lines = ["set_option linter.all false", "set_option maxRecDepth 2000"]
    starts = []
    for trial in trials:
        starts.append(len(lines) + 1)
        step = "fail" if _runs_over(trial.tactic) else " ".join(trial.tactic.split("\n"))
        lines += [f"example {trial.statement} := by", "  trace_state", f"  ({step})", "  all_goals trace_state"]
        lines += ["  all_goals sorry"]
    refused: set[int] = set()
    before: dict[int, str] = {}
    after: dict[int, list[str]] = {}
    for message in messages(lean, "\n".join(lines) + "\n"):
        line = int(message["pos"]["line"])  # type: ignore[index]
        number = bisect_right(starts, line) - 1
        if message["severity"] == "error":
            refused.add(number)
        elif message["severity"] == "information" and line == starts[number] + 1:
            before[number] = str(message["data"])
        elif message["severity"] == "information" and line == starts[number] + 3:
            after.setdefault(number, []).append(str(message["data"]))
    verdicts = []
    for number, trial in enumerate(trials):
        words = trial.tactic.replace("(", " ").replace(")", " ").split()
        bad = not words or "sorry" in words or "admit" in words or number not in before
        if bad or number in refused or after.get(number) == [before[number]]:
            verdicts.append("invalid")
        else:
            verdicts.append("progress" if number in after else "closes")
    return verdicts


def _runs_over(tactic: str) -> bool:
    """Whether the text could hide what stands behind it from Lean: a comment or a string that is not closed."""
    return any(sign in tactic for sign in ("--", "/-", '"', "«"))
