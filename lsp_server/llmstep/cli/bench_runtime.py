"""`llmstep bench runtime`, `start` and `growth`: how long a request takes."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from llmstep.bench.opponents import OPPONENTS
from llmstep.cli.options import DeviceOption, ModelOption, TemplateOption, settings_with
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from llmstep.bench.runtime import Report


def runtime(
    cases: Annotated[
        Path | None, typer.Option(help='JSONL of {"goal", "prefix"}; without it, prompts of the benchmark\'s own.')
    ] = None,
    model: ModelOption = None,
    template: TemplateOption = None,
    device: DeviceOption = None,
    dtype: Annotated[
        str | None, typer.Option(help="auto, float32, int8 or int4; on a GPU bfloat16 and float16 as well.")
    ] = None,
    prompt_tokens: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Length of a random prompt, for random weights; may be given more than once."),
    ] = None,
    against: Annotated[str | None, typer.Option(help=f"What to measure beside it: {' or '.join(OPPONENTS)}.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Requests for each case.")] = 5,
    samples: Annotated[int, typer.Option(min=1, help="Samples per request.")] = 10,
    temperature: Annotated[float, typer.Option(min=0.01, help="Sampling temperature.")] = 0.5,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Most new tokens of a sample.")] = 128,
    fixed_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="New tokens of every sample, its end ignored; 32 for random weights."),
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 as the server does it.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, the pairs included.")] = False,
) -> None:
    """Time requests, one after the other, next to another way to answer them, such as upstream's plain generate call.

    The models byt5-300m-shape, pythia-2.8b-shape, qwen2-1.5b-shape, qwen2-7b-shape and llama-7b-shape have the true
    shape and random weights.

    Example: llmstep bench runtime --model byt5-300m-shape --against upstream-generate
    """
    if against is not None and against not in OPPONENTS:
        raise RequestError(
            f"There is nothing called {against} to compare with.", hint=f"Known: {', '.join(OPPONENTS)}."
        )
    settings = settings_with({"model": model, "template": template, "device": device, "dtype": dtype})
    from llmstep.bench.runtime_model import PROMPT_TOKENS, cases_of, run_benchmark, subject

    measured = subject(settings)
    report = run_benchmark(
        measured,
        cases_of(cases, measured, prompt_tokens or PROMPT_TOKENS),
        samples=samples,
        temperature=temperature,
        longest=max_new_tokens,
        fixed=fixed_tokens,
        rounds=rounds,
        threads=threads,
        against=against,
        tell=lambda line: typer.echo(line, err=True),
    )
    typer.echo(json.dumps(attrs.asdict(report), ensure_ascii=False, indent=2) if as_json else _told(report))


def start(
    model: Annotated[str, typer.Option("--model", "-m", help="The model that answers.")] = "starter",
    rounds: Annotated[int, typer.Option(min=1, help="Processes of each kind.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Time whole processes from their start to the first answer, next to importing torch alone."""
    from llmstep.bench.start import start_cost

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
    from llmstep.bench.loading import load_cost

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


def growth(
    model: ModelOption = None,
    dtype: Annotated[str | None, typer.Option(help="float32, int8, bfloat16 or float16.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Requests of each size.")] = 3,
    samples: Annotated[list[int] | None, typer.Option(min=1, help="Numbers of samples; may be repeated.")] = None,
    prompts: Annotated[list[int] | None, typer.Option(min=4, help="Tokens of prompts; may be repeated.")] = None,
    new_tokens: Annotated[int, typer.Option(min=1, help="New tokens of every sample, its end ignored.")] = 32,
    picture: Annotated[Path | None, typer.Option(help="SVG file for two charts.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Time requests of growing size: samples 1 to 64, prompts of 50 to 2000 tokens."""
    settings = settings_with({"model": model, "dtype": dtype})
    from llmstep.bench import growth as sizes
    from llmstep.bench.picture import charts
    from llmstep.bench.runtime_model import subject

    found = sizes.growth(
        subject(settings),
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


def _told(report: Report) -> str:
    tokens = "" if report.fixed_tokens is None else f", {report.fixed_tokens} tokens each"
    memory = "GPU memory" if "gpus" in report.machine else "memory"
    weights = ", random weights of the true shape" if report.random_weights else ""
    lines = [
        f"{report.model} ({report.dtype}{weights}): {report.samples} samples at {report.temperature}{tokens},"
        f" {report.threads} threads, load {report.machine['load_before']}",
        f"loaded in {report.load_seconds:.1f} s, at most {report.peak_bytes / 1e9:.2f} GB of {memory}",
        "case | prompt | median (s) | p95 | seen before | first candidate | tokens/s | floor | CPU (s)"
        f" | {report.against or 'other'} | ratio | seen | CPU ratio | seen",
    ]
    for case in report.cases:
        floor = "-" if case.floor is None else f"{case.floor:.3f}"
        row = (
            f"{case.name} | {case.prompt_tokens} | {case.ours.median:.3f} | {case.ours.p95:.3f} |"
            f" {case.seen.median:.3f} | {case.first_candidate:.3f} | {case.tokens_per_second:.0f} | {floor} |"
            f" {case.cpu:.3f}"
        )
        if case.upstream is not None:
            row += f" | {case.upstream.median:.3f} | {case.ratio_median:.2f} | {case.seen_ratio_median:.2f}"
            row += f" | {case.cpu_ratio_median:.2f} | {case.seen_cpu_ratio_median:.2f}"
        lines.append(row)
    return "\n".join(lines)
