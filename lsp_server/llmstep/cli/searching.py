"""What `llmstep prove` and `llmstep bench search` share: options, and the plan that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from llmstep.settings import Settings

if TYPE_CHECKING:
    from llmstep.proofs.plan import Plan


Tactics = Literal["model", "list", "both"]
"""Where steps come from."""

ExpansionsOption = Annotated[int, typer.Option(min=1, help="Most states that are expanded.")]
TacticsOption = Annotated[
    Tactics, typer.Option(help="Where steps come from: list is fixed tactics such as simp and constructor.")
]
LengthPowerOption = Annotated[
    float,
    typer.Option(min=0, max=1, help="Divide a score by the number of steps to this power: 0 is the sum, 1 the mean."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the draw; another seed draws other samples.")]


def plan_of(settings: Settings, tactics: Tactics, **options: Any) -> Plan:
    """How a proof is looked for, by the settings and options.

    Args:
        options: Further fields of `Method`.
    """
    from llmstep.proofs.plan import Plan
    from llmstep.search.prover import Method

    method = Method.of(settings, tactics=tactics, seconds=settings.prove_seconds, **options)
    return Plan.of(settings, method)
