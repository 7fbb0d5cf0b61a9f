"""What `llmstep bench search` and `quality` share: their theorems or goals, where results go, how they are shown."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import attrs
import typer

from llmstep.cli.say import say, say_json
from llmstep.errors import RequestError
from llmstep.lean.file_text import read_text

if TYPE_CHECKING:
    from llmstep.bench.quality import GoalResult, QualitySummary
    from llmstep.bench.search import Result, Summary
    from llmstep.bench.theorems import Theorem

R = TypeVar("R", bound="Result | GoalResult")

TheoremsOption = Annotated[
    Path,
    typer.Option(help='JSONL of {"name", "statement", "header"} or {"file", "line", "column"}.', show_default=False),
]
ProjectOption = Annotated[Path, typer.Option(help="Folder of the Lean project that they belong to.")]
OutOption = Annotated[
    Path | None,
    typer.Option(help="JSONL for the results; a run goes on where it stopped. Default: a name made of the input's."),
]
ShardOption = Annotated[str, typer.Option(help="Part i/n of the input, for one of n machines.")]
HeaderOption = Annotated[
    Path | None, typer.Option(help="File with what stands above statements without a header, imports for example.")
]
SummaryOption = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


@attrs.frozen
class Part:
    """What one machine does."""

    theorems: list[Theorem]
    shard: str
    """Which part of all theorems these are: i/n."""
    results: Path

    @classmethod
    def of(cls, file: Path, project: Path, *, header: Path | None, shard: str, out: Path | None, kind: str) -> Part:
        """The theorems of a shard, and the file for their results.

        Args:
            file: JSONL of theorems; see `llmstep.bench.theorems`.
            project: Folder of the Lean project.
            header: File with what stands above statements without a header.
            shard: i/n.
            out: File for the results; None for one in the current folder, named after `file`, the shard and `kind`.
            kind: What the results are called in that name.

        Raises:
            RequestError: The project is no folder, a file cannot be read, or there is no such shard.
        """
        from llmstep.bench.theorems import read_theorems, shard_of

        if not project.is_dir():
            raise RequestError(f"{project} is no folder.", hint="Give that of the Lean project.")
        every = read_theorems(file, project, read_text(header) if header else "")
        results = out or Path(f"{file.stem}.{shard.replace('/', 'of')}.{kind}.jsonl")
        return cls(shard_of(every, shard), shard, results)

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

    def say(self, summary: Summary | QualitySummary, *, as_json: bool) -> None:
        """Print the summary at the end."""
        if as_json:
            say_json({**attrs.asdict(summary), "shard": self.shard, "results": str(self.results)})
        else:
            say(f"{summary.text()}; results in {self.results}")
