"""The programs `start`, `load` and `growth`: what a process, a model and a larger request cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import attrs
import typer

from llmstep.cli.flags import Given, takes_settings


def start(
    model: Annotated[str, typer.Option("--model", "-m", help="The model that answers.")] = "starter",
    rounds: Annotated[int, typer.Option(min=1, help="Processes of each kind.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Time whole processes from their start to the first answer, next to importing torch alone."""
    from benchmarks.start import start_cost

    cost = start_cost(model, rounds, tell=lambda line: typer.echo(line, err=True))
    if as_json:
        typer.echo(json.dumps(attrs.asdict(cost), indent=2))
        return
    typer.echo(
        f"{cost.model}: {cost.answer_ms:.0f} ms from start to end with an answer ({cost.suggestions:.1f} suggestions);"
        f" importing torch alone {cost.import_ms:.0f} ms, {cost.ratio:.2f} times that"
    )


def load(
    model: Annotated[str, typer.Option("--model", "-m", help="A model, or the shape of one.")] = "byt5-300m-shape",
    rounds: Annotated[int, typer.Option(min=1, help="Processes.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Time how a model in eight bits is loaded, first from its files and then packed, in processes of their own."""
    from benchmarks.loading import load_cost

    cost = load_cost(model, rounds, tell=lambda line: typer.echo(line, err=True))
    if as_json:
        typer.echo(json.dumps(attrs.asdict(cost), indent=2))
        return
    typer.echo(
        f"{cost.model}: first load {cost.first_seconds:.1f} s (at most {cost.first_bytes / 1e9:.2f} GB);"
        f" packed ({cost.file_bytes / 1e6:.0f} MB): imports {cost.import_seconds:.2f} s,"
        f" loaded in {cost.load_seconds:.2f} s ({cost.loaded_bytes / 1e9:.2f} GB),"
        f" first answer {cost.answer_seconds:.2f} s (at most {cost.peak_bytes / 1e9:.2f} GB)"
    )


@takes_settings("model", "dtype")
def growth(
    rounds: Annotated[int, typer.Option(min=1, help="Requests of each size.")] = 3,
    samples: Annotated[list[int] | None, typer.Option(min=1, help="Numbers of samples; may be repeated.")] = None,
    prompts: Annotated[list[int] | None, typer.Option(min=4, help="Tokens of prompts; may be repeated.")] = None,
    new_tokens: Annotated[int, typer.Option(min=1, help="New tokens of every sample, its end ignored.")] = 32,
    picture: Annotated[Path | None, typer.Option(help="SVG file for two charts.")] = None,
    *,
    given: Given,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Time requests of growing size: samples 1 to 64, prompts of 50 to 2000 tokens."""
    settings = given.settings()
    from benchmarks import growth as sizes
    from benchmarks.picture import charts
    from llmstep.bench.runtime_model import subject

    with subject(settings) as measured:
        found = sizes.growth(
            measured,
            samples=samples or sizes.SAMPLES,
            prompts=prompts or sizes.PROMPTS,
            new_tokens=new_tokens,
            rounds=rounds,
            tell=lambda line: typer.echo(line, err=True),
        )
    if picture is not None:
        rows = [(float(cost.samples), cost.seconds) for cost in found.by_samples]
        columns = [(float(cost.prompt_tokens), cost.seconds) for cost in found.by_prompt]
        name = f"{found.model}, {found.dtype}"
        panels = [(f"{name}: by samples", "samples", rows), (f"{name}: by prompt", "tokens", columns)]
        picture.write_text(charts(panels), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(attrs.asdict(found), indent=2))
        return
    typer.echo(f"{found.model} ({found.dtype}), {found.new_tokens} new tokens, {found.threads} threads")
    typer.echo("samples | prompt | seconds | CPU seconds")
    for cost in (*found.by_samples, *found.by_prompt):
        typer.echo(f"{cost.samples:7} | {cost.prompt_tokens:6} | {cost.seconds:7.3f} | {cost.cpu_seconds:11.3f}")
