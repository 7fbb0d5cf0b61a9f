"""Printing text that may quote files, models and servers."""

from __future__ import annotations

import os
from typing import Any

import typer

from llmstep.printable import json_text, printable
from llmstep.wire.records import to_json


def say(text: str, *, err: bool = False) -> None:
    """Print a text with its strange characters written out.

    Args:
        err: On stderr.
    """
    typer.echo(printable(text), err=err)


def say_json(record: Any) -> None:
    """Print what `--json` gives: records of `wire/`, or values of JSON."""
    typer.echo(json_text(to_json(record)))


def warn(text: str) -> None:
    """Tell something on stderr that ends nothing."""
    typer.secho(printable(f"llmstep: {text}"), fg=typer.colors.YELLOW, err=True, color=colour())


def colour() -> bool | None:
    """False where the user wants no colours (https://no-color.org), else None: a terminal gets some."""
    return False if os.environ.get("NO_COLOR") else None
