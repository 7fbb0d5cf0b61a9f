"""The command line in this process, for tests that only want to know what a command says.

`tests/cli` has a fixture of its own that has status, stdin, stderr and environment, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.testing import CliRunner

from llmstep.cli import app

if TYPE_CHECKING:
    from typer import Typer


def run(*arguments: object, program: Typer = app, status: int = 0) -> str:
    """What `llmstep ARGUMENTS` prints on stdout; it ends with a status. What it raises goes through."""
    result = CliRunner().invoke(program, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout
