"""`llmstep prove`: a whole proof for a place of a file, by best-first search."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from llmstep.cli.engine_flags import EngineFlags, takes_engine
from llmstep.cli.options import (
    DeviceOption,
    LeanOption,
    ModelOption,
    PremiseIndexOption,
    PremisesOption,
    TemperatureOption,
    TemplateOption,
    lean_command,
    premise_settings,
    settings_with,
)
from llmstep.cli.process import an_app, run
from llmstep.cli.say import say
from llmstep.cli.searching import (
    OUTCOMES,
    ExpansionsOption,
    LengthPowerOption,
    SamplesOption,
    SeedOption,
    TacticsOption,
    TimeoutOption,
    method_of,
)
from llmstep.cli.suggest import position_of, read_text
from llmstep.printable import json_text

if TYPE_CHECKING:
    from llmstep.search.prover import Attempt


@takes_engine
def prove(
    file: Annotated[Path, typer.Argument(help="A Lean file.", show_default=False)],
    line: Annotated[int, typer.Option("--line", "-l", help="Line of the goal, from 1.", show_default=False)],
    column: Annotated[int, typer.Option("--column", "-c", help="Column, from 1, in UTF-16 units.")] = 1,
    expansions: ExpansionsOption = 64,
    samples: SamplesOption = 16,
    timeout: TimeoutOption = 120,
    tactics: TacticsOption = "both",
    model: ModelOption = None,
    template: TemplateOption = None,
    device: DeviceOption = None,
    temperature: TemperatureOption = None,
    length_power: LengthPowerOption = 0,
    seed: SeedOption = 0,
    *,
    engine: EngineFlags,
    premises: PremisesOption = None,
    premise_index: PremiseIndexOption = None,
    lean: LeanOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print {proof, expansions, seconds, model}.")] = False,
) -> None:
    """Search for a whole proof of a goal, and have Lean check it in place.

    With --json the proof is the text that replaces the place, without its
    indentation, or null when none was found; seconds are those of
    everything, and the model is null when none was asked.

    Example: llmstep prove Demo.lean --line 4 --column 3
    """
    settings = settings_with(
        {
            "model": model,
            "template": template,
            "device": device,
            "temperature": temperature,
            "lean.command": lean_command(lean),
            **premise_settings(premises, premise_index),
            **engine.settings(),
        }
    )
    text = read_text(file)
    position = position_of(text, line, column, file.name)
    from llmstep.cli.progress import shown_progress
    from llmstep.memory import Document, sites_at

    method = method_of(
        settings,
        tactics=tactics,
        expansions=expansions,
        seconds=timeout,
        samples=samples,
        seed=seed,
        length_power=length_power,
    )

    async def work() -> Attempt:
        async with an_app(settings) as app:
            document = Document(file.resolve().as_uri(), 1, text)
            return await app.prove(document, sites_at(text, position)[1], method, show)

    with shown_progress() as show:
        found = run(work())
    if as_json:
        typer.echo(json_text(as_record(found)))
    else:
        say(_told(found))


def as_record(found: Attempt) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "proof": found.proof,
        "expansions": found.expansions,
        "seconds": found.seconds,
        "model": found.model,
    }


def _told(found: Attempt) -> str:
    goal = "\n".join(f"  {line}".rstrip() for line in found.goal.state.split("\n"))
    source = {
        "model": found.model,
        "list": "the fixed list",
        "both": f"{found.model or 'the model'} and the fixed list",
    }[found.tactics]
    states = "state" if found.expansions == 1 else "states"
    how = f"{found.expansions} {states} expanded, {found.states} seen, {found.seconds:.1f} s, steps from {source}"
    if found.proof is None:
        return f"{goal}\n\nNo proof: {OUTCOMES[found.outcome]} ({how})."
    proof = "\n".join(f"  {line}" for line in found.proof.split("\n"))
    count = len(found.steps or ())
    return f"{goal}\n\n{proof}\n\nA proof of {count} step{'' if count == 1 else 's'}, accepted by Lean ({how})."
