"""The program `crowd`: people at a real server, next to the simulation of `capacity`."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import attrs
import typer

from llmstep.cli.say import say


def crowd(
    model: Annotated[str, typer.Option("--model", "-m", help="The model that answers.")] = "starter",
    people: Annotated[str, typer.Option(help="Numbers of people: 10,20 for several rows.")] = "10,20,30",
    think: Annotated[float, typer.Option(min=0.01, help="Mean seconds between an answer and the next request.")] = 2.0,
    rates: Annotated[str, typer.Option(help="Requests a second that come independently, for further rows.")] = "",
    seconds: Annotated[float, typer.Option(min=1, help="How long each row is measured.")] = 60.0,
    alone: Annotated[int, typer.Option(min=5, help="Requests of one client that are timed first.")] = 200,
    url: Annotated[str, typer.Option(help="A server that runs; without it `llmstep serve` is started.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Let people ask a real server, and compare with what the simulation makes of the times of one who is alone.

    The people, the server and its model share this machine.

    Example: python -m benchmarks crowd --people 10,20,30 --think 2
    """
    from benchmarks.comparison import compared
    from llmstep.bench.hardware import machine

    def numbers(given: str) -> list[float]:
        return [float(each) for each in given.split(",") if each]

    crowds = [int(each) for each in numbers(people)]
    rows = asyncio.run(compared(model, url, crowds, think, numbers(rates), seconds, alone))
    if as_json:
        typer.echo(json.dumps({"machine": machine(), "rows": [attrs.asdict(row) for row in rows]}, indent=2))
        return
    say(f"{machine()['processor']}, {machine()['cores']} cores; alone {rows[0].alone:.3f} s")
    say("| load | answers | refused or lost | mean (s) | simulated | p50 (s) | simulated | p95 (s) | simulated |")
    say("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        real, said = row.measured, row.simulated
        answers = real.statuses.get(200, 0)
        pairs = ((real.mean, said.mean), (real.p50, said.p50), (real.p95, said.p95))
        told = " | ".join(f"{one:.2f} | {other:.2f}" for one, other in pairs)
        say(f"| {row.name} | {answers} | {sum(real.statuses.values()) - answers} | {told} |")
