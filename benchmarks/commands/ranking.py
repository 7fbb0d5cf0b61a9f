"""The program `ranking`: fits the order of suggestions, and writes what the package and the docs say of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.ranking_page import PAGE, PICTURE, page, reliability
from llmstep.cli.flags import Given, takes_settings
from llmstep.ranking import FILE


@takes_settings("lean", "model")
def ranking(
    goals: Annotated[Path, typer.Option(help="Statements, as for `llmstep bench quality`.")],
    steps: Annotated[Path, typer.Option(help="JSONL file for the steps; those in it are not collected again.")],
    *,
    given: Given,
    write: Annotated[bool, typer.Option(help="Write the numbers, the page and the picture into the clone.")] = True,
) -> None:
    """Collect steps for statements, fit the chance that they are right, and assess it on statements held out.

    A new starter or other statements: run it again with a new file for the steps.
    """
    from benchmarks.ranking import assess, fit, held_out, leaving, read
    from benchmarks.steps import collect

    settings = given.settings(model="starter", device="cpu")
    asyncio.run(collect(goals, settings, steps, lambda line: typer.echo(line, err=True)))
    tried = read(steps)
    left = leaving(tried)
    chances = held_out(left)
    found = assess(chances, [each.right for each in left])
    text = page(tried, chances, found, settings.model)
    if write:
        statements = len({each.name for each in tried})
        numbers = {
            "weights": fit(left),
            "fitted_on": {"model": settings.model, "statements": statements, "steps": len(left)},
            "held_out": {"brier": float(f"{found.brier:.3f}"), "ece": float(f"{found.ece:.3f}")},
        }
        FILE.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
        PAGE.write_text(text, encoding="utf-8")
        PICTURE.write_text(reliability(found), encoding="utf-8")
    typer.echo(text)
