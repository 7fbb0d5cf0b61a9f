"""What `llmstep prove` and `llmstep bench search` share: options, the prover, and how a search is told."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from llmstep.cli.process import an_app
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstep.search.proposals import Tactics
    from llmstep.search.prover import Method, Prover
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
SeedOption = Annotated[int, typer.Option(min=0, help="Another one draws other samples.")]

OUTCOMES = {
    "exhausted": "no state is left to expand",
    "expansions": "the limit of expansions is reached",
    "seconds": "the time limit is reached",
    "refused": "Lean refuses the proof that was found in the whole file",
}
"""Why there is no proof, in words."""


def method_of(settings: Settings, *, tactics: str, **options: Any) -> Method:
    """How to search, by the options and, for the samples, the settings.

    Raises:
        RequestError: There are no such tactics.
    """
    from llmstep.search.prover import Method

    if tactics not in ("model", "list", "both"):
        raise RequestError(f"There are no tactics {tactics!r}.", hint="Give model, list or both.")
    return Method(
        tactics=cast("Tactics", tactics),
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_new_tokens=settings.max_new_tokens,
        **options,
    )


@contextlib.asynccontextmanager
async def a_prover(settings: Settings) -> AsyncIterator[Prover]:
    """A prover whose engine and Lean are gone afterwards."""
    async with an_app(settings) as app:
        yield app.prover()
