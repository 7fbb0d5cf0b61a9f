"""`llmstep suggest`: the next steps at a place of a file, or for a goal from a text."""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import IO, TYPE_CHECKING, Annotated

import attrs
import typer

from llmstep.cli.engine_flags import EngineFlags, takes_engine
from llmstep.cli.options import (
    CountOption,
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
from llmstep.errors import RequestError
from llmstep.printable import json_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsprotocol.types import Position

    from llmstep.engine.progress import Progress
    from llmstep.memory import Document
    from llmstep.settings import Settings
    from llmstep.types import Goal, Suggestion

    OnProgress = Callable[[Progress], None]


_MOST_BYTES = 64 << 20


@attrs.frozen
class Answer:
    """What is shown."""

    goal: Goal
    model: str
    elapsed_ms: float
    suggestions: tuple[Suggestion, ...]
    """Best first; none that Lean refused."""
    summary: str
    rejected: tuple[Suggestion, ...] = ()
    """Those that Lean refused, by score."""


@takes_engine
def suggest(
    file: Annotated[Path | None, typer.Argument(help="A Lean file.", show_default=False)] = None,
    line: Annotated[int | None, typer.Option("--line", "-l", help="Line of the goal, from 1.")] = None,
    column: Annotated[
        int | None,
        typer.Option(
            "--column",
            "-c",
            help="Column, from 1, as VS Code counts: in UTF-16 units, so that 𝔸 is two; past the end means the end.",
        ),
    ] = None,
    goal_file: Annotated[
        Path | None, typer.Option(help="Take the goal from this text (- is stdin) instead; nothing is checked then.")
    ] = None,
    prefix: Annotated[str | None, typer.Option("--prefix", "-p", help="What every suggestion starts with.")] = None,
    count: CountOption = None,
    model: ModelOption = None,
    template: TemplateOption = None,
    device: DeviceOption = None,
    temperature: TemperatureOption = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Fix the draw.")] = None,
    *,
    engine: EngineFlags,
    premises: PremisesOption = None,
    premise_index: PremiseIndexOption = None,
    lean: LeanOption = None,
    check: Annotated[bool, typer.Option(help="Run every suggestion in Lean and rank by what Lean says.")] = True,
    automation: Annotated[bool | None, typer.Option(help="Try Lean's own tactics as well.", show_default="yes")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print {goal, model, elapsed_ms, suggestions, rejected} instead of a table.")
    ] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="Also print what Lean rejected, with its reasons; --json always does.")
    ] = False,
) -> None:
    """Suggest next steps for a goal, best first.

    With --json each suggestion is {text, score, verdict, source,
    repaired_from, remaining_goals}: the score is the mean log-probability of
    its tokens, the verdict is closes, progress or unchecked, the source is
    model, lean (one of Lean's own tactics) or repaired (repaired_from is what
    the model wrote, and Lean offers another name), and the goals are those
    that it leaves. Each rejected one is {text, reason, tried}: tried has the
    texts with other names, and why Lean refuses each.

    Example: llmstep suggest Demo.lean --line 4 --column 3
    """
    settings = settings_with(
        {
            "model": model,
            "template": template,
            "device": device,
            "count": count,
            "temperature": temperature,
            "lean.command": lean_command(lean),
            "check.enabled": None if check else False,
            "automation": None if automation is None else "on" if automation else "off",
            **premise_settings(premises, premise_index),
            **engine.settings(),
        }
    )
    from llmstep.cli.progress import shown_progress

    with shown_progress() as show:
        if goal_file is not None:
            if file is not None or line is not None or column is not None:
                raise RequestError("A goal comes from --goal-file or from a place of a Lean file.", hint="Give one.")
            answer = run(_for_goal(settings, _read_goal(goal_file), prefix or "", seed, show))
        else:
            if file is None or line is None or column is None:
                raise RequestError(
                    "There is no place or goal to suggest for.",
                    hint="Give a Lean file with --line and --column, or a goal with --goal-file.",
                )
            from llmstep.memory import Document

            text = read_text(file)
            position = position_of(text, line, column, file.name)
            document = Document(file.resolve().as_uri(), 1, text)
            answer = run(_at_place(settings, document, position, prefix, seed, show))
    if as_json:
        typer.echo(json_text(as_record(answer)))
    else:
        _print(answer, show_all)


async def _at_place(
    settings: Settings, document: Document, position: Position, prefix: str | None, seed: int | None, show: OnProgress
) -> Answer:
    async with an_app(settings) as app:
        found = await app.suggest(document, position, prefix=prefix, seed=seed, on_progress=show)
    return Answer(found.goal, found.model, found.elapsed_ms, found.suggestions, found.summary(), found.rejected)


async def _for_goal(settings: Settings, goal: Goal, prefix: str, seed: int | None, show: OnProgress) -> Answer:
    from llmstep.types import Suggestion

    async with an_app(settings, lean_premises=False) as app:
        made = await app.suggest_unplaced(goal, prefix=prefix, seed=seed, on_progress=show)
    suggestions = tuple(Suggestion(candidate) for candidate in made.candidates)
    ended = f", {made.endings}" if made.endings else ""
    summary = f"{made.drawn} generated, {len(suggestions)} distinct{ended}, not checked (there is no Lean file)"
    return Answer(goal, made.model, made.elapsed_ms, suggestions, summary)


def position_of(text: str, line: int, column: int, name: str) -> Position:
    """The position of an editor's line and column; a column past the end of the line is its end.

    Raises:
        RequestError: There is no such line, or a number is below 1.
    """
    from lsprotocol.types import Position

    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        raise RequestError(f"There is no line {line} in {name}.", hint=f"Its lines are 1 to {len(lines)}.")
    if column < 1:
        raise RequestError(f"There is no column {column}.", hint="Columns are counted from 1.")
    units = len(lines[line - 1].removesuffix("\r").encode("utf-16-le")) // 2
    return Position(line - 1, min(column - 1, units))


def as_record(answer: Answer) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "goal": answer.goal.state,
        "model": answer.model,
        "elapsed_ms": answer.elapsed_ms,
        "suggestions": [
            {
                "text": each.text,
                "score": each.candidate.score,
                "verdict": each.check.verdict.value,
                "source": each.candidate.source,
                "repaired_from": each.candidate.repaired_from or None,
                "remaining_goals": list(each.check.goals),
            }
            for each in answer.suggestions
        ],
        "rejected": [
            {
                "text": each.text,
                "reason": each.check.message,
                "tried": [{"text": other.text, "reason": other.message} for other in each.tried],
            }
            for each in answer.rejected
        ],
    }


def _print(answer: Answer, show_all: bool) -> None:
    from llmstep.cli.tables import print_suggestions

    summary = f"{answer.summary}; {answer.model}, {answer.elapsed_ms / 1000:.1f} s"
    print_suggestions(answer.goal, answer.suggestions, summary, rejected=answer.rejected if show_all else ())


def _read_goal(file: Path) -> Goal:
    from llmstep.types import Goal

    state = _decode(_bounded(sys.stdin.buffer, "stdin"), "stdin") if str(file) == "-" else read_text(file)
    if not state.strip():
        raise RequestError("The goal is empty.", hint="Give it as Lean prints it: hypotheses, then a line with ⊢.")
    return Goal.from_state(state)


def read_text(file: Path) -> str:
    """The text of a file.

    Raises:
        RequestError: It cannot be read, is too long, or is no text.
    """
    try:
        with file.open("rb") as source:
            content = _bounded(source, f"The file {file}")
    except OSError as error:
        if file.is_symlink() and not file.exists():
            raise RequestError(
                f"The file {file} is a link to {os.readlink(file)}, which is not there.", hint="Give another file."
            ) from None
        raise RequestError(f"The file {file} cannot be read: {error.strerror}.", hint="Give another file.") from None
    return _decode(content, str(file))


def _bounded(source: IO[bytes], name: str) -> bytes:
    content = source.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        most = _MOST_BYTES >> 20
        raise RequestError(f"{name} has more than {most} MB.", hint="Give a file that is not as long.")
    return content


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"{name} is not UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from None
