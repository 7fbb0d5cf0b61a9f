"""The command line in this process, for tests that only want to know what a command says.

`tests/cli` has a fixture of its own that has status, stdin, stderr and environment, too.
"""

from __future__ import annotations

from typer.testing import CliRunner

from llmstep.cli import app


def run(*arguments: object) -> str:
    """What `llmstep ARGUMENTS` prints on stdout; its status is 0. What it raises goes through."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout
