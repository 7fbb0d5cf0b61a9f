"""What `llmstep prove` and `llmstep bench search` share: options, the prover, and how a search is shown."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from llmstep.cli.process import an_app
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstep.proofs.plan import Plan
    from llmstep.proofs.prover import WholeProver
    from llmstep.search.proposals import Tactics
    from llmstep.search.prover import Method
    from llmstep.settings import Settings

ExpansionsOption = Annotated[int, typer.Option(min=1, help="Most states that are expanded.")]
SAMPLES = 16
"""Samples for each state, where the setting `count` is nowhere set."""
SamplesOption = Annotated[
    int | None,
    typer.Option(
        "--count",
        "-n",
        min=1,
        max=256,
        help=f"Samples for each state; default the setting count, else {SAMPLES}.",
        show_default=False,
    ),
]
TimeoutOption = Annotated[float, typer.Option(min=0.1, help="Longest search in seconds.")]
TacticsOption = Annotated[
    str, typer.Option(help="Where steps come from: model, list (fixed tactics such as simp and constructor) or both.")
]
LengthPowerOption = Annotated[
    float,
    typer.Option(min=0, max=1, help="Divide a score by the number of steps to this power: 0 is the sum, 1 the mean."),
]
StrategyOption = Annotated[
    str | None,
    typer.Option(
        help="auto, search (over steps), write (the model writes the proof and repairs it) or sketch."
        " Default: the setting proveStrategy.",
        show_default=False,
    ),
]
RoundsOption = Annotated[
    int | None,
    typer.Option(
        min=0, max=32, help="How often a written proof goes back to the model. Default: 3.", show_default=False
    ),
]
TokensOption = Annotated[
    int | None,
    typer.Option(min=256, help="Most tokens that the model writes in all rounds. Default: 32768.", show_default=False),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Another one draws other samples.")]


def method_of(settings: Settings, *, tactics: str, **options: Any) -> Method:
    """How to search, by the options and, for the samples, the settings.

    Raises:
        RequestError: There are no such tactics.
    """
    from llmstep.search.prover import Method

    if tactics not in ("model", "list", "both"):
        raise RequestError(f"There are no tactics {tactics!r}.", hint="Give model, list or both.")
    return Method.of(settings, tactics=cast("Tactics", tactics), **options)


def plan_of(
    settings: Settings, method: Method, *, strategy: str | None, rounds: int | None, tokens: int | None
) -> Plan:
    """How a proof is looked for, by the options and, where they do not say, the settings.

    Raises:
        RequestError: There is no such strategy.
    """
    from llmstep.proofs.plan import STRATEGIES, Plan

    if strategy is not None and strategy not in STRATEGIES:
        raise RequestError(f"There is no strategy {strategy!r}.", hint="Give auto, search, write or sketch.")
    return Plan.of(settings, method, strategy=strategy, rounds=rounds, tokens=tokens)


@contextlib.asynccontextmanager
async def a_prover(settings: Settings) -> AsyncIterator[WholeProver]:
    """A prover whose engine and Lean are gone afterwards."""
    async with an_app(settings) as app:
        yield app.prover()
