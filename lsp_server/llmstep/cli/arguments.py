"""Arguments that several commands take: places of Lean files, and how a proof is searched for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from llmstep.errors import RequestError

_WITH_PLACE = re.compile(r"(.+?):(\d{1,9})(?::(\d{1,9}))?:?")

FileArgument = typer.Argument(
    help="A Lean file; FILE:12:3 is its line 12, column 3.", metavar="FILE[:LINE[:COLUMN]]", show_default=False
)
LineOption = Annotated[int | None, typer.Option("--line", "-l", help="Line of the goal, from 1.")]
ColumnOption = Annotated[
    int | None,
    typer.Option(
        "--column",
        "-c",
        help="Column, from 1, as VS Code counts: in UTF-16 units, so that 𝔸 is two; past the end means the end;"
        " default 1.",
    ),
]
Tactics = Literal["model", "list", "both"]
"""Where steps come from."""

ExpansionsOption = Annotated[int, typer.Option(min=1, help="Most states that are expanded.")]
TacticsOption = Annotated[
    Tactics, typer.Option(help="Where steps come from: list is fixed tactics such as simp and constructor.")
]
LengthPowerOption = Annotated[
    float,
    typer.Option(min=0, max=1, help="Divide a score by the number of steps to this power: 0 is the sum, 1 the mean."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the draw; another seed draws other samples.")]


def place_of(file: Path, line: int | None, column: int | None) -> tuple[Path, int, int]:
    """The file, line and column that a command is given, as `FILE:12:3` or apart; the column may be left out.

    Raises:
        RequestError: There is no line, it is given twice, or the file is a folder.
    """
    found = None if file.exists() else _WITH_PLACE.fullmatch(str(file))
    if found:
        if line is not None or (column is not None and found[3]):
            raise RequestError(f"The place is given twice: by {file} and by --line or --column.", hint="Give it once.")
        file, line, column = Path(found[1]), int(found[2]), int(found[3]) if found[3] else column
    if file.is_dir():
        raise RequestError(f"{file} is a folder.", hint=f"Give a Lean file and a line: {file / 'FILE.lean'}:12:3.")
    if line is None:
        raise RequestError(f"No line of {file} was given.", hint=f"Write {file}:12:3, or --line 12 --column 3.")
    return file, line, 1 if column is None else column
