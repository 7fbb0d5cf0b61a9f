"""Tables for reading, of suggestions among others."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmstep.printable import printable
from llmstep.types import Check, Goal, Suggestion, Verdict

PIPE_WIDTH = 500
"""Columns when the output does not go to a terminal: no line may be broken."""


def console_of(width: int = PIPE_WIDTH) -> Console:
    """The terminal, or an output of so many columns."""
    console = Console()
    return console if console.is_terminal else Console(width=width)


def grid(*headings: str) -> Table:
    """A table without lines, whose cells are folded where they are too long."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def print_suggestions(
    goal: Goal, suggestions: Sequence[Suggestion], summary: str, *, rejected: Sequence[Suggestion] = ()
) -> None:
    """The goal, the ranked suggestions with verdict and score, rejected ones with Lean's reason, the summary."""
    console = console_of()
    console.print(Text(printable("\n".join(f"  {line}".rstrip() for line in goal.state.split("\n")))))
    console.print()
    if suggestions:
        console.print(_table(suggestions))
    else:
        console.print(Text("  No suggestion."))
    if rejected:
        console.print(Text("\n  Rejected by Lean:"))
        console.print(_reasons(rejected))
    console.print()
    console.print(Text(printable(summary), style="dim"))


def _table(suggestions: Sequence[Suggestion]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for number, each in enumerate(suggestions, start=1):
        score = each.candidate.score
        shown = "Lean" if each.candidate.source == "lean" else "-" if score is None else f"{score:.2f}"
        origin = each.candidate.repaired_from
        note = f"  (repaired from {' '.join(origin.split())})" if origin else ""
        table.add_row(f" {number}", mark(each.check), shown, Text(printable(each.text + note)))
    return table


def _reasons(rejected: Sequence[Suggestion]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="dim")
    for each in rejected:
        table.add_row(Text(printable(each.text)), Text(printable(each.reason)))
    return table


def mark(check: Check) -> Text:
    """What Lean said, in two or three words."""
    style = "green" if check.verdict is Verdict.CLOSES else "yellow" if check.verdict.accepted else "dim"
    return Text(printable(check.words), style=style)
