"""`llmstep bench runtime`: how long a request takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from llmstep.bench.opponents import OPPONENTS
from llmstep.cli.flags import Given, takes_settings
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from llmstep.bench.runtime import Report


@takes_settings("model", "template", "device", "dtype")
def runtime(
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
    *,
    given: Given,
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
    settings = given.settings()
    from llmstep.bench.runtime import run_benchmark
    from llmstep.bench.runtime_model import PROMPT_TOKENS, cases_of, subject

    with subject(settings) as measured:
        report = run_benchmark(
            measured,
            cases_of(measured, prompt_tokens or PROMPT_TOKENS),
            samples=samples,
            temperature=temperature,
            max_tokens=max_new_tokens,
            fixed=fixed_tokens,
            rounds=rounds,
            threads=threads,
            against=against,
            progress=lambda update: typer.echo(update.message, err=True),
        )
    typer.echo(json.dumps(attrs.asdict(report), ensure_ascii=False, indent=2) if as_json else _summary(report))


def _summary(report: Report) -> str:
    tokens = "" if report.fixed_tokens is None else f", {report.fixed_tokens} tokens each"
    memory = "GPU memory" if "gpus" in report.machine else "memory"
    weights = ", random weights of the true shape" if report.random_weights else ""
    lines = [
        f"{report.model} ({report.dtype}{weights}): {report.samples} samples at {report.temperature}{tokens},"
        f" {report.threads} threads, load {report.machine['load_before']}",
        f"loaded in {report.load_seconds:.1f} s, at most {report.peak_bytes / 1e9:.2f} GB of {memory}",
        "case | prompt | median (s) | p95 | seen before | first candidate | tokens/s | floor | CPU (s)"
        f" | {report.against or 'other'} | ratio | seen",
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
        lines.append(row)
    return "\n".join(lines)
