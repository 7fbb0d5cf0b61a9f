"""`python -m benchmarks`: the programs."""

from __future__ import annotations

import typer

from benchmarks.commands.capacity import capacity
from benchmarks.commands.checks import checks
from benchmarks.commands.crowd import crowd
from benchmarks.commands.editor import editor
from benchmarks.commands.ranking import ranking
from benchmarks.commands.service import beside_2023, burst, replicas
from benchmarks.commands.sizes import growth, load, start
from llmstep.cli import main

app = typer.Typer(help="What llmstep costs, measured.", no_args_is_help=True)
for program in (beside_2023, burst, capacity, checks, crowd, editor, growth, load, ranking, replicas, start):
    app.command()(program)

if __name__ == "__main__":
    main(app)
