"""From a proof tree to Lean source with `trace_state` before each tactic, and back from Lean's messages to pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starter.proof import Step


@dataclass(frozen=True)
class Theorem:
    """A statement (``binders : goal``) with its family and a proof that Lean has yet to check."""

    family: str
    statement: str
    proof: Step


@dataclass
class Placed:
    """Where a theorem stands in a file: its lines, and for each `trace_state` line the tactic below it."""

    theorem: Theorem
    first: int
    last: int
    tactics: dict[int, str]


def write_file(theorems: Iterable[Theorem]) -> tuple[str, list[Placed]]:
    """One Lean file with all the theorems, one tactic a line, and the places of their tactics."""
    lines = ["set_option linter.all false"]
    placed = []
    for theorem in theorems:
        first = len(lines) + 1
        tactics: dict[int, str] = {}
        lines.append(f"example {theorem.statement} := by")
        _write(theorem.proof, "  ", lines, tactics)
        placed.append(Placed(theorem, first, len(lines), tactics))
    return "\n".join(lines) + "\n", placed


def _write(step: Step, indent: str, lines: list[str], tactics: dict[int, str]) -> None:
    lines.append(indent + "trace_state")
    tactics[len(lines)] = step.tactic
    lines.append(indent.replace("·", " ") + step.tactic)
    indent = indent.replace("·", " ")
    if len(step.children) == 1:
        _write(step.children[0], indent, lines, tactics)
        return
    for child in step.children:
        _write(child, indent + "· ", lines, tactics)
