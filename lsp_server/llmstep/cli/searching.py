"""The options that `llmstep prove` and `llmstep bench` share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

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
