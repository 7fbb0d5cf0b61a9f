"""`llmstep suggest`: the next steps at a place of a file, or for a goal from a text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from llmstep.cli.arguments import ColumnOption, FileArgument, LineOption, place_of
from llmstep.cli.command import in_terminal, options_of
from llmstep.cli.downloads import agree
from llmstep.cli.faults import NOTHING_FOUND
from llmstep.cli.flags import PREMISES, Given, takes_settings
from llmstep.cli.process import an_app, run
from llmstep.cli.say import say_json, warn
from llmstep.errors import LlmstepError, RequestError
from llmstep.lean.file_text import bounded, decode, position_of, read_text
from llmstep.settings import Settings
from llmstep.types import Verdict

if TYPE_CHECKING:
    from lsprotocol.types import Position

    from llmstep.memory import Document
    from llmstep.types import Goal, Suggestion
    from llmstep.wire.steps import SuggestOutput

_VERDICTS = ", ".join(each.value for each in Verdict if each is not Verdict.INVALID)
"""Those that `--json` prints of suggestions; what Lean refuses is among the rejected ones."""


@attrs.frozen
class Answer:
    """What is shown; see `SuggestionSet`."""

    goal: Goal
    model: str
    elapsed_ms: float
    suggestions: tuple[Suggestion, ...]
    summary: str
    rejected: tuple[Suggestion, ...] = ()
    failure: LlmstepError | None = None


@takes_settings(*PREMISES, "check", "automation")
def suggest(
    context: typer.Context,
    file: Annotated[Path | None, FileArgument] = None,
    line: LineOption = None,
    column: ColumnOption = None,
    goal_file: Annotated[
        Path | None, typer.Option(help="Take the goal from this text (- is stdin) instead; nothing is checked then.")
    ] = None,
    prefix: Annotated[str | None, typer.Option("--prefix", "-p", help="What every suggestion starts with.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Fix the draw.")] = None,
    *,
    given: Given,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print {goal, model, elapsed_ms, suggestions, rejected} instead of a table;"
            f" a verdict is one of {_VERDICTS}.",
        ),
    ] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="Also print what Lean rejected, with its reasons; --json always does.")
    ] = False,
) -> None:
    """Suggest next steps for a goal, best first.

    With --json each suggestion is {text, score, verdict, source,
    repaired_from, remaining_goals}: the score is the mean log-probability of
    its tokens, the verdict is what Lean says of it, the source is
    model, lean (one of Lean's own tactics) or repaired (repaired_from is what
    the model wrote, and Lean offers another name), and the goals are those
    that it leaves. Each rejected one is {text, reason, tried}: tried has the
    texts with other names, and why Lean refuses each. The exit status is 1 where
    nothing is found.

    Example: llmstep suggest Demo.lean:4:3
    """
    where = None if file is None or goal_file is not None else place_of(file, line, column)
    settings = given.settings(where[0] if where else None)
    if goal_file is not None and (file is not None or line is not None or column is not None):
        raise RequestError("A goal comes from --goal-file or from a place of a Lean file.", hint="Give one.")
    if where is None and goal_file is None:
        raise RequestError(
            "There is no goal to suggest steps for.",
            hint="Give a place of a Lean file, FILE:12:3, or a goal with --goal-file.",
        )
    agree(settings, yes=given.yes)
    from llmstep.cli.progress import shown_progress

    with shown_progress() as show:
        if where is not None:
            from llmstep.memory import Document

            text = read_text(where[0])
            position = position_of(text, *where[1:], where[0].name)
            document = Document(where[0].resolve().as_uri(), 1, text)
            answer = run(_at_place(settings, document, position, prefix=prefix, seed=seed, progress=show))
        else:
            assert goal_file is not None
            answer = run(_for_goal(settings, _read_goal(goal_file), prefix=prefix or "", seed=seed, progress=show))
    if answer.failure is not None:
        hint = in_terminal(answer.failure.hint, options_of(context.command.params))
        warn(f"{answer.failure.message} {hint}".rstrip())
    if as_json:
        say_json(as_record(answer))
    else:
        _print(answer, show_all)
    if not answer.suggestions:
        raise typer.Exit(NOTHING_FOUND)


async def _at_place(settings: Settings, document: Document, position: Position, **how: Any) -> Answer:
    async with an_app(settings) as app:
        found = await app.suggest(document, position, **how)
    return Answer(
        found.goal, found.model, found.elapsed_ms, found.suggestions, found.summary(), found.rejected, found.failure
    )


async def _for_goal(settings: Settings, goal: Goal, **how: Any) -> Answer:
    from llmstep.types import Suggestion

    async with an_app(settings, lean_premises=False) as app:
        made = await app.suggest_unplaced(goal, **how)
    suggestions = tuple(Suggestion(candidate) for candidate in made.candidates)
    ended = f", {made.endings}" if made.endings else ""
    summary = f"{made.drawn} generated, {len(suggestions)} distinct{ended}, not checked (there is no Lean file)"
    return Answer(goal, made.model, made.elapsed_ms, suggestions, summary)


def as_record(answer: Answer) -> SuggestOutput:
    """What `--json` prints."""
    from llmstep.wire.steps import Rejected, RejectedWithTried, Step, SuggestOutput, step_fields

    return SuggestOutput(
        goal=answer.goal.state,
        model=answer.model,
        elapsed_ms=answer.elapsed_ms,
        suggestions=tuple(Step(**step_fields(each)) for each in answer.suggestions),
        rejected=tuple(
            RejectedWithTried(
                text=each.text,
                reason=each.check.message,
                tried=tuple(Rejected(text=other.text, reason=other.message) for other in each.tried),
            )
            for each in answer.rejected
        ),
    )


def _print(answer: Answer, show_all: bool) -> None:
    from llmstep.cli.tables import print_suggestions

    model = f"{answer.model}, " if answer.model else ""
    summary = f"{answer.summary}; {model}{answer.elapsed_ms / 1000:.1f} s"
    print_suggestions(answer.goal, answer.suggestions, summary, rejected=answer.rejected if show_all else ())


def _read_goal(file: Path) -> Goal:
    from llmstep.types import Goal

    state = decode(bounded(sys.stdin.buffer, "stdin"), "stdin") if str(file) == "-" else read_text(file)
    if not state.strip():
        raise RequestError("The goal is empty.", hint="Give it as Lean prints it: hypotheses, then a line with ⊢.")
    return Goal.from_state(state)
