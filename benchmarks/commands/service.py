"""The programs `burst`, `replicas` and `beside-2023`: what a server does with many clients."""

from __future__ import annotations

import asyncio
import json
import statistics
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from llmstep.cli.say import say

if TYPE_CHECKING:
    from benchmarks.crowd import Summary

JsonOption = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


def burst(
    rounds: Annotated[int, typer.Option(min=1, help="Bursts of each kind.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Open many connections at once, and one beside silent ones; medians and the slowest of the rounds."""
    from benchmarks.burst import BUSY, SERVED, Burst
    from benchmarks.burst import burst as measured

    kinds = [(number, names, 0) for number in (250, 400, 1000) for names in (False, True)]
    rows: list[list[Burst]] = [
        [asyncio.run(measured(number, names=names, silent=silent)) for _ in range(rounds)]
        for number, names, silent in [*kinds, (1, False, 300), (1, False, 1500)]
    ]
    if as_json:
        typer.echo(json.dumps([[attrs.asdict(each) for each in row] for row in rows], indent=2))
        return
    _machine()
    say("| at once | clients | silent | served | told 429 | nothing | last 429 (s) | at most | first answer (s) |")
    say("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        first, last = row[0], [each.last_refusal for each in row]
        numbers = [[each.statuses.get(status, 0) for each in row] for status in (SERVED, BUSY, 0)]
        counts = [f"{min(each)} to {max(each)}" if min(each) < max(each) else str(each[0]) for each in numbers]
        who = "each its own" if first.names else "one"
        answer = statistics.median(each.first_answer for each in row)
        times = f"{statistics.median(last):.2f} | {max(last):.2f} | {answer:.2f}"
        say(f"| {first.connections} | {who} | {first.silent} | {' | '.join(counts)} | {times} |")


def replicas(
    seconds: Annotated[float, typer.Option(min=2, help="How long each load lasts.")] = 40.0, as_json: JsonOption = False
) -> None:
    """Compare one server with two behind nginx: a small client beside a flood, and answers from memory."""
    from benchmarks.replicas import replicas as measured

    rows = asyncio.run(measured(seconds))
    if as_json:
        typer.echo(json.dumps([attrs.asdict(row) for row in rows], indent=2))
        return
    _machine()
    say("| copies | small client p50 (s) | p95 (s) | flood's answers/s | from memory | people p50 (s) | p95 (s) |")
    say("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        small, people = _two(row.small), _two(row.people)
        say(f"| {row.name} | {small} | {row.flood.rate:.1f} | {row.hits:.0%} | {people} |")


def beside_2023(
    people: Annotated[int, typer.Option(min=1, help="Clients that ask again and again.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which both are asked.")] = 5,
    seconds: Annotated[float, typer.Option(min=1, help="Of each half of a round.")] = 15.0,
    as_json: JsonOption = False,
) -> None:
    """Compare llmstep's answers in a second with those of a stand-in for the first llmstep's server."""
    from benchmarks.beside_2023 import beside

    found = asyncio.run(beside(people, rounds, seconds))
    if as_json:
        typer.echo(json.dumps({**attrs.asdict(found), "ratio": found.ratio}, indent=2))
        return
    _machine()
    for name, rows in (("llmstep", found.ours), ("stand-in for the server of 2023", found.theirs)):
        rate, p50 = statistics.median(row.rate for row in rows), statistics.median(row.p50 for row in rows)
        say(f"{name}: {rate:.2f} answers/s, half within {p50:.2f} s (medians of {len(rows)} rounds)")
    say(f"{found.ratio:.1f} answers for one (median of the rounds)")


def _two(summary: Summary) -> str:
    return f"{summary.p50:.2f} | {summary.p95:.2f}"


def _machine() -> None:
    from llmstep.bench.hardware import machine

    found = machine()
    say(f"{found['processor']}, {found['cores']} cores, load {found['load_before']:.1f}")
