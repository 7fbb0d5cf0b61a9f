"""Printing text that may quote files, models and servers."""

from __future__ import annotations

import typer

from llmstep.printable import printable


def say(text: str, *, err: bool = False) -> None:
    """Print a text with its strange characters written out.

    Args:
        err: On stderr.
    """
    typer.echo(printable(text), err=err)
