"""`llmstep prove`: a whole proof for a place of a file, searched for, written and repaired, or sketched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from llmstep.cli.arguments import (
    ColumnOption,
    ExpansionsOption,
    FileArgument,
    LengthPowerOption,
    LineOption,
    SeedOption,
    TacticsOption,
    place_of,
)
from llmstep.cli.downloads import agree
from llmstep.cli.faults import NOTHING_FOUND
from llmstep.cli.flags import PROOFS, Given, takes_settings
from llmstep.cli.options import configured
from llmstep.cli.process import an_app, run
from llmstep.cli.say import say, say_json
from llmstep.lean.file_text import position_of, read_text
from llmstep.printable import counted
from llmstep.search.attempt import OUTCOMES, Attempt, Plan

if TYPE_CHECKING:
    from llmstep.wire.steps import ProveOutput


@takes_settings(*PROOFS)
def prove(
    file: Annotated[Path, FileArgument],
    line: LineOption = None,
    column: ColumnOption = None,
    expansions: ExpansionsOption = 64,
    tactics: TacticsOption = "both",
    length_power: LengthPowerOption = 0,
    seed: SeedOption = 0,
    *,
    given: Given,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Look for a whole proof of a goal, and have Lean check it in place.

    Models of whole proofs write it, and repair it after Lean's errors; with
    models of steps it is searched for (--strategy).

    With --json the proof is the text that replaces the place, without its
    indentation, or null when none was found; seconds are those of
    everything, and the model is null when none was asked. `partial` is a
    proof with `sorry` for the goals that are left, or null. The
    exit status is 1 where there is no proof.

    Example: llmstep prove Demo.lean:4:3
    """
    file, line, column = place_of(file, line, column)
    configuration = configured(given.values, file)
    settings = configuration.settings
    text = read_text(file)
    position = position_of(text, line, column, file.name)
    from llmstep.cli.progress import shown_progress
    from llmstep.memory import Document, insertion_points_at

    plan = Plan.of(
        settings,
        tactics=tactics,
        expansions=expansions,
        samples=settings.count if "count" in configuration.values else None,
        seed=seed,
        length_power=length_power,
    )
    if tactics != "list":
        agree(settings, yes=given.yes)

    async def work() -> Attempt:
        async with an_app(settings) as app:
            document = Document(file.resolve().as_uri(), 1, text)
            return await app.prove(document, insertion_points_at(text, position)[1], plan, show)

    with shown_progress() as show:
        found = run(work())
    if as_json:
        say_json(as_record(found))
    else:
        say(_summary(found))
    if found.proof is None:
        raise typer.Exit(NOTHING_FOUND)


def as_record(found: Attempt) -> ProveOutput:
    """What `--json` prints."""
    from llmstep.wire.steps import PartialOutput, ProveOutput, Proving

    partial = found.partial
    left = None if partial is None else PartialOutput(proof=partial.proof, goals=partial.goals)
    known = {field.name: getattr(found, field.name) for field in attrs.fields(Proving)}
    return ProveOutput(**known, partial=left)


def _summary(found: Attempt) -> str:
    goal = _indented(found.goal.state)
    writer = found.model or "the model"
    source = {"model": writer, "list": "the fixed list", "both": f"{writer} and the fixed list"}[found.tactics]
    by = f"written by {writer}" if found.rounds else f"steps from {source}"
    how = f"{found.effort()}, {by}"
    if found.partial is not None:
        left = "\n\n".join(_indented(each) for each in found.partial.goals)
        return f"{goal}\n\n{_indented(found.partial.proof)}\n\n{found.in_words()} ({how}):\n\n{left}"
    if found.proof is None:
        return f"{goal}\n\nNo proof: {OUTCOMES[found.outcome]} ({how})."
    count = len(found.steps or ())
    what = f"A proof of {counted(count, 'step')}" if found.strategy == "search" else "A proof"
    return f"{goal}\n\n{_indented(found.proof)}\n\n{what}, accepted by Lean ({how})."


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))
