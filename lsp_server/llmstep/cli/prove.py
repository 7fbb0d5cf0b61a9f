"""`llmstep prove`: a whole proof for a place of a file, by best-first search."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from llmstep.cli.downloads import agree
from llmstep.cli.engine_flags import ModelFlags, takes_engine
from llmstep.cli.faults import NOTHING_FOUND
from llmstep.cli.options import (
    DeviceOption,
    LeanOption,
    ModelOption,
    PremiseIndexOption,
    PremisesOption,
    TemperatureOption,
    TemplateOption,
    configured,
    lean_command,
    premise_settings,
)
from llmstep.cli.place import ColumnOption, FileArgument, LineOption, place_of, position_of, read_text
from llmstep.cli.process import an_app, run
from llmstep.cli.say import say
from llmstep.cli.searching import (
    OUTCOMES,
    SAMPLES,
    ExpansionsOption,
    LengthPowerOption,
    SamplesOption,
    SeedOption,
    TacticsOption,
    TimeoutOption,
    method_of,
)
from llmstep.printable import json_text
from llmstep.wire.records import to_json

if TYPE_CHECKING:
    from llmstep.search.prover import Attempt
    from llmstep.wire.steps import ProveOutput


@takes_engine
def prove(
    file: Annotated[Path, FileArgument],
    line: LineOption = None,
    column: ColumnOption = None,
    expansions: ExpansionsOption = 64,
    count: SamplesOption = None,
    timeout: TimeoutOption = 120,
    tactics: TacticsOption = "both",
    model: ModelOption = None,
    template: TemplateOption = None,
    device: DeviceOption = None,
    temperature: TemperatureOption = None,
    length_power: LengthPowerOption = 0,
    seed: SeedOption = 0,
    *,
    engine: ModelFlags,
    premises: PremisesOption = None,
    premise_index: PremiseIndexOption = None,
    lean: LeanOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print {proof, expansions, seconds, model}.")] = False,
) -> None:
    """Search for a whole proof of a goal, and have Lean check it in place.

    With --json the proof is the text that replaces the place, without its
    indentation, or null when none was found; seconds are those of
    everything, and the model is null when none was asked. The exit
    status is 1 where there is no proof.

    Example: llmstep prove Demo.lean:4:3
    """
    file, line, column = place_of(file, line, column)
    configuration = configured(
        {
            "count": count,
            "model": model,
            "template": template,
            "device": device,
            "temperature": temperature,
            "lean.command": lean_command(lean),
            **premise_settings(premises, premise_index),
            **engine.settings(),
        },
        file,
    )
    settings = configuration.settings
    text = read_text(file)
    position = position_of(text, line, column, file.name)
    from llmstep.cli.progress import shown_progress
    from llmstep.memory import Document, sites_at

    method = method_of(
        settings,
        tactics=tactics,
        expansions=expansions,
        seconds=timeout,
        samples=settings.count if configuration.was_set("count") else SAMPLES,
        seed=seed,
        length_power=length_power,
    )

    if tactics != "list":
        agree(settings, yes=engine.yes)

    async def work() -> Attempt:
        async with an_app(settings) as app:
            document = Document(file.resolve().as_uri(), 1, text)
            return await app.prove(document, sites_at(text, position)[1], method, show)

    with shown_progress() as show:
        found = run(work())
    if as_json:
        typer.echo(json_text(to_json(as_record(found))))
    else:
        say(_told(found))
    if found.proof is None:
        raise typer.Exit(NOTHING_FOUND)


def as_record(found: Attempt) -> ProveOutput:
    """What `--json` prints."""
    from llmstep.wire.steps import ProveOutput

    return ProveOutput(proof=found.proof, expansions=found.expansions, seconds=found.seconds, model=found.model)


def _told(found: Attempt) -> str:
    goal = "\n".join(f"  {line}".rstrip() for line in found.goal.state.split("\n"))
    source = {
        "model": found.model or "the model",
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
