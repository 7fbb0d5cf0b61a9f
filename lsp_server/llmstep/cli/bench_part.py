"""What `llmstep bench search` and `quality` share: their theorems or goals, where results go, how they are shown."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import attrs
import typer

from llmstep.cli.flags import Command, takes
from llmstep.cli.say import say, say_json
from llmstep.errors import RequestError
from llmstep.lean.file_text import read_text

if TYPE_CHECKING:
    from llmstep.bench.quality import GoalResult, QualitySummary
    from llmstep.bench.search import Result, Summary
    from llmstep.bench.theorems import Theorem

R = TypeVar("R", bound="Result | GoalResult")

SummaryOption = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
_FILE: Final = Annotated[
    Path,
    typer.Option(help='JSONL of {"name", "statement", "header"} or {"file", "line", "column"}.', show_default=False),
]
_OPTIONS: Final = [
    (
        "lean_project",
        Annotated[Path, typer.Option(help="Folder of the Lean project that they belong to.")],
        inspect.Parameter.empty,
    ),
    (
        "out",
        Annotated[
            Path | None,
            typer.Option(
                help="JSONL for the results; a run goes on where it stopped. Default: a name made of the input's."
            ),
        ],
        None,
    ),
    ("shard", Annotated[str, typer.Option(help="Part i/n of the input, for one of n machines.")], "1/1"),
    (
        "header",
        Annotated[
            Path | None,
            typer.Option(help="File with what stands above statements without a header, imports for example."),
        ],
        None,
    ),
    ("as_json", SummaryOption, False),
]


def takes_part(name: str, kind: str) -> Callable[[Command], Command]:
    """Puts options in the place of a command's parameter `part_of`, which reads the files and gives a `Part` then.

    Args:
        name: Of the option for the file of theorems.
        kind: What the results are called in the name of their file.
    """
    flags = [(name, _FILE, inspect.Parameter.empty), *_OPTIONS]
    return takes("part_of", flags, lambda **options: partial(Part.of, options.pop(name), kind, **options))


@attrs.frozen
class Part:
    """What one machine does."""

    theorems: list[Theorem]
    shard: str
    """Which part of all theorems these are: i/n."""
    results: Path
    as_json: bool

    @classmethod
    def of(
        cls,
        file: Path,
        kind: str,
        *,
        lean_project: Path,
        out: Path | None,
        shard: str,
        header: Path | None,
        as_json: bool,
    ) -> Part:
        """The theorems of a shard, and the file for their results: without `out` one in the current folder.

        Raises:
            RequestError: The project is no folder, a file cannot be read, or there is no such shard.
        """
        from llmstep.bench.theorems import read_theorems, shard_of

        if not lean_project.is_dir():
            raise RequestError(f"{lean_project} is no folder.", hint="Give that of the Lean project.")
        every = read_theorems(file, lean_project, read_text(header) if header else "")
        results = out or Path(f"{file.stem}.{shard.replace('/', 'of')}.{kind}.jsonl")
        return cls(shard_of(every, shard), shard, results, as_json)

    def printer(self, how: Callable[[R], str]) -> Callable[[R, bool], None]:
        """Prints each result in a line on stderr: its number, name and outcome, and `how` it came about.

        What is returned takes a result, and whether an earlier run had it.
        """
        numbers = itertools.count(1)

        def show(result: R, old: bool) -> None:
            outcome = f"{result.outcome} ({result.message})" if result.message else result.outcome
            how_found = "known" if old else how(result)
            say(f"[{next(numbers)}/{len(self.theorems)}] {result.name}: {outcome}, {how_found}", err=True)

        return show

    def say(self, summary: Summary | QualitySummary) -> None:
        """Print the summary at the end."""
        if self.as_json:
            say_json({**attrs.asdict(summary), "shard": self.shard, "results": str(self.results)})
        else:
            say(f"{summary.text()}; results in {self.results}")
