"""Runs Lean on a file of theorems and takes the pairs of those that it accepts."""

from __future__ import annotations

import json
import subprocess
import tempfile
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmstep.errors import LlmstepError
from llmstep.lean.process import lean_environment
from starter.script import Theorem, write_file

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Pair:
    """A first goal as Lean prints it, the tactic that was run there, and the theorem it belongs to."""

    goal: str
    tactic: str
    family: str
    theorem: str


def messages(lean: Sequence[str], source: str, timeout: float = 900) -> list[dict[str, object]]:
    """Lean's messages on a source text, as the records of ``lean --json``.

    Raises:
        LlmstepError: Lean cannot be started, does not end in ``timeout`` seconds, breaks down or is unreadable.
    """
    with tempfile.TemporaryDirectory(prefix="llmstep-") as folder:
        file = Path(folder) / "Pairs.lean"
        file.write_text(source, encoding="utf-8")
        try:
            run = subprocess.run(
                [*lean, "--json", str(file)],
                env=lean_environment(),
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except OSError as error:
            raise LlmstepError(f"Lean could not be started: {error}.", hint="Give its command with --lean.") from error
        except subprocess.TimeoutExpired as error:
            raise LlmstepError(f"Lean was still busy after {timeout:.0f} s.", hint="Make the files smaller.") from error
    if run.returncode not in (0, 1):  # 1: there were errors in the file
        raise LlmstepError(f"Lean ended with status {run.returncode}: {run.stderr[-300:]!r}.", hint="Try it again.")
    if '"maximum number of errors' in run.stdout:
        raise LlmstepError("Lean stopped after too many errors in one file.", hint="Make the files smaller.")
    try:
        return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    except ValueError as error:
        raise LlmstepError(f"Lean printed no JSON: {run.stdout[:200]!r}.", hint="Use Lean 4.9 or newer.") from error


def checked_pairs(lean: Sequence[str], theorems: Sequence[Theorem]) -> tuple[list[Pair], list[str]]:
    """The pairs of the theorems that Lean accepts, and the first line of each complaint about the others."""
    source, placed = write_file(theorems)
    starts = [place.first for place in placed]
    refused: dict[int, str] = {}
    goals: dict[int, dict[int, str]] = {}
    for message in messages(lean, source):
        line = int(message["pos"]["line"])  # type: ignore[index]
        number = bisect_right(starts, line) - 1
        text = str(message["data"])
        if message["severity"] != "information":
            refused.setdefault(number, text)
        elif message.get("kind") == "trace" or line in placed[number].tactics:
            goals.setdefault(number, {})[line] = text
    pairs = []
    for number, place in enumerate(placed):
        if number in refused:
            continue
        states = goals.get(number, {})
        theorem = place.theorem
        pairs += [
            Pair(first_goal(states[line]), tactic, theorem.family, theorem.statement)
            for line, tactic in place.tactics.items()
            if line in states
        ]
    return pairs, [text.splitlines()[0] for text in refused.values()]


def first_goal(state: str) -> str:
    """The first of the goals that Lean prints, which it separates by a blank line."""
    return state.split("\n\n", 1)[0].strip()


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
