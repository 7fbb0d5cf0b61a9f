"""`python -m starter` makes the bundled model anew: pairs checked by Lean, tokenizer, training, evaluation."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from llmstep.catalog.store import STARTER_DIR
from llmstep.errors import LlmstepError
from starter import recipe

app = typer.Typer(add_completion=False)


@app.command()
def make(
    lean: Annotated[str, typer.Option(help="Command that runs Lean.")] = "lean",
    out: Annotated[Path, typer.Option(help="Working folder: pairs, checkpoints, model.")] = Path("build/starter"),
    seconds: Annotated[float, typer.Option(help="Training time, several sittings together.")] = 3600,
    shards: Annotated[int, typer.Option(help="Portions of 1,500 random theorems.")] = 60,
    processes: Annotated[int, typer.Option(help="Processes that draw and check theorems.")] = 2,
    threads: Annotated[int, typer.Option(help="Processor threads of the training; 0 leaves it to torch.")] = 0,
    base: Annotated[
        str, typer.Option(help="Model to train on, `starter` for the bundled one; none: from nothing.")
    ] = "",
    larger: Annotated[
        bool, typer.Option("--larger", help="A network for a GPU: 14 million parameters, 29 MB.")
    ] = False,
    keep_back: Annotated[Path | None, typer.Option(help="Theorems whose goals are left out of the training.")] = None,
    install: Annotated[bool, typer.Option("--install", help="Put the model into the package.")] = False,
) -> None:
    """Make the bundled starter model anew. A run that was broken off goes on where it was."""
    evaluation = recipe.make_starter(
        shlex.split(lean),
        out,
        seconds=seconds,
        shards=shards,
        processes=processes,
        threads=threads,
        base=base,
        larger=larger,
        kept_back=keep_back,
        report=typer.echo,
    )
    accepted, closed = (evaluation[name]["share"] for name in ("accepted", "closed"))
    typer.echo(
        f"{evaluation['goals']} statements held out: {accepted:.0%} got a step that Lean accepts,"
        f" {closed:.0%} one that closes the goal"
    )
    if install:
        typer.echo(f"{recipe.install(out / 'model', STARTER_DIR):,} bytes in {STARTER_DIR}")


def main() -> None:
    try:
        app()
    except LlmstepError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
