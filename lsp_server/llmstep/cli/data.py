"""`llmstep data`: training pairs from LeanDojo's benchmark, Lean projects and JSONL files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from llmstep.cli.flags import Given, takes_settings
from llmstep.cli.process import run
from llmstep.cli.say import say
from llmstep.settings import Settings

if TYPE_CHECKING:
    from llmstep.data.pair import Found


@takes_settings("lean")
def data(
    sources: Annotated[
        list[Path],
        typer.Argument(help="LeanDojo's .json files or their folder, Lean files or projects, JSONL files of pairs."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for train.jsonl, valid.jsonl and test.jsonl.")],
    valid_share: Annotated[
        float,
        typer.Option(
            min=0, max=0.9, help="Share of the theorems to hold out, for sources that are not divided into parts."
        ),
    ] = 0.02,
    max_chars: Annotated[int, typer.Option(min=1, help="Leave out longer tactics.")] = 512,
    seconds: Annotated[float, typer.Option(min=1, help="Longest time for Lean on one file.")] = 600,
    repository: Annotated[
        Path | None,
        typer.Option(
            help="Repository that LeanDojo traced, for the text before each tactic.", file_okay=False, exists=True
        ),
    ] = None,
    context: Annotated[
        bool, typer.Option("--context/--no-context", help="Keep the file's text before each tactic.")
    ] = True,
    *,
    given: Given,
) -> None:
    """Make pairs of goal and tactic for `llmstep train`.

    No theorem, and no pair, comes into two parts. The benchmark's val.json and
    test.json stay held out; theorems of other sources are held out by a hash
    of their name.

    Example: llmstep data leandojo_benchmark_4/random MyProject -o pairs
    """
    from llmstep.data.pair import Found
    from llmstep.data.split import split
    from llmstep.errors import RequestError

    settings = given.settings()
    found = Found()
    for source in sources:
        found.extend(_pairs_of(source, max_chars, seconds, settings, repository if context else None))
    if not context:
        found.pairs = [attrs.evolve(pair, file="", at=0) for pair in found.pairs]
    divided = split(found.pairs, valid_share)
    if not divided.parts["train"]:
        raise RequestError(
            f"The sources give no pairs to train on{_left_out(found)}.", hint="Check them, or lower --valid-share."
        )
    divided.write(out)
    for part, pairs in divided.parts.items():
        if pairs:
            theorems = len({pair.theorem for pair in pairs})
            say(f"{part}: {len(pairs):,} pairs of {theorems:,} theorems in {out / part}.jsonl")
    if divided.duplicates:
        found.left_out["duplicates"] = divided.duplicates
    if found.left_out:
        say(f"left out{_left_out(found)}")
    if context and (bare := sum(not pair.file_context for pairs in divided.parts.values() for pair in pairs)):
        say(
            f"{bare:,} pairs have no text of their file, which only templates that read the file need"
            + ("" if repository else "; for LeanDojo's, --repository names the folder to read it from")
        )


def _left_out(found: Found) -> str:
    """`: 3 duplicates, 1 steps with sorry`, the most frequent first; empty when nothing was left out."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.left_out.most_common())
    return f": {reasons}" if reasons else ""


def _pairs_of(source: Path, max_length: int, seconds: float, settings: Settings, repository: Path | None) -> Found:
    """The pairs of a source of whatever kind."""
    from llmstep.data.leandojo import benchmark_files, leandojo_pairs
    from llmstep.data.pair import Found, jsonl_pairs
    from llmstep.errors import RequestError

    if not source.exists():
        raise RequestError(f"There is no {source}.", hint="Check the path.")
    if source.suffix == ".jsonl":
        return jsonl_pairs(source, max_length)
    files = benchmark_files(source) if source.is_dir() else [source] if source.suffix == ".json" else []
    if files:
        found = Found()
        for file in files:
            found.extend(leandojo_pairs(file, max_length, repository))
        return found
    if source.is_dir() or source.suffix == ".lean":
        return run(_of_project(source, max_length, seconds, settings))
    raise RequestError(
        f"The kind of {source} is not known.",
        hint="Give a .json file of LeanDojo, a .jsonl file of pairs, a .lean file, or a folder of one of these.",
    )


async def _of_project(source: Path, max_length: int, seconds: float, settings: Settings) -> Found:
    from llmstep.data.project import lean_files, project_pairs
    from llmstep.lean.project import find_project, server_command, working_folder
    from llmstep.lean.server import LeanServer

    files = lean_files(source)
    project = find_project(source, working_folder())
    server = LeanServer(server_command(project, settings.lean, settings.check), project.root, timeout=seconds)
    try:
        return await project_pairs(
            server, files, max_length, seconds, lambda file, count: say(f"{file}: {count} pairs", err=True)
        )
    finally:
        await server.stop()
