"""The `llmstep` command: one module a command, registered here.

Command modules import what they need inside their functions, so that `llmstep lsp` starts without torch.
"""

from __future__ import annotations

import io
import sys

import typer

from llmstep import __version__
from llmstep.cli import faults
from llmstep.cli.bench import bench
from llmstep.cli.command import Command
from llmstep.cli.data import data
from llmstep.cli.doctor import doctor
from llmstep.cli.index import index
from llmstep.cli.lsp import lsp
from llmstep.cli.mcp import mcp
from llmstep.cli.models import models
from llmstep.cli.prove import prove
from llmstep.cli.say import colour
from llmstep.cli.serve import serve
from llmstep.cli.settings import settings
from llmstep.cli.suggest import suggest
from llmstep.cli.train import train

app = typer.Typer(
    name="llmstep",
    help="Next-step suggestions for Lean 4 proofs from a language model, checked by Lean.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"llmstep {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: llmstep suggest Demo.lean:4:3")
def _options(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", "-V", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    context.color = colour()


app.add_typer(bench, name="bench")
app.add_typer(models, name="models")
for command in (data, index, train, doctor, lsp, mcp, prove, serve, settings, suggest):
    app.command(cls=Command)(command)


def main(program: typer.Typer = app) -> None:
    """Run a command line; errors that the user can act on are shown as one line, without a traceback."""
    faults.open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # not every system's encoding has a goal's
    try:
        faults.check_arguments(sys.argv[1:])
        try:
            program()
        finally:
            sys.stdout.flush()  # not when the interpreter ends, which would print an error in its own way
    except Exception as error:
        faults.end(error)
