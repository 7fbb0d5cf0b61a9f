"""The five tools: arguments in, a record out, by the same use cases as the editor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.aside import aside
from llmstep.errors import RequestError
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.mcp import files, results
from llmstep.memory import Document, Memory, insertion_points_at
from llmstep.printable import printable
from llmstep.progress import Progress, ProgressSink
from llmstep.setting_values import shown
from llmstep.types import Goal
from llmstep.wire import tools as wire
from llmstep.wire.reading import TOOLS as TOOLS_READER
from llmstep.wire.reading import argument_error
from llmstep.wire.records import to_json

if TYPE_CHECKING:
    from lsprotocol.types import Position

    from llmstep.app import App


@attrs.frozen
class Tool:
    """What clients see of a tool, and what runs it."""

    title: str
    description: str
    takes: type[wire.Place]
    gives: type[wire.Answer]
    run: Callable[[Work, Any], Awaitable[wire.Answer]]


@attrs.frozen
class Work:
    """One call: where it is, and what does it."""

    app: App
    document: Document
    position: Position
    points: list[InsertionPoint]
    progress: ProgressSink

    async def goal(self) -> tuple[InsertionPoint, Goal]:
        """The first of the places at which Lean has a goal."""
        self.progress(Progress("goal", "Asking Lean for the goal"))
        return await self.app.goal(self.document, self.points, progress=self.progress)


async def _goal(work: Work, _: wire.Place) -> wire.Answer:
    return results.goal_answer(work.document.text, *await work.goal())


async def _check(work: Work, wanted: wire.Check) -> wire.Answer:
    point, goal = await work.goal()
    document = work.document
    work.progress(Progress("check", "Checking"))
    [check] = await work.app.lean.check(document.uri, document.text, point, goal, [wanted.step])
    return results.check_answer(document.text, point, goal, wanted.step, check)


async def _suggest(work: Work, wanted: wire.Suggest) -> wire.Answer:
    found = await work.app.suggest(
        work.document,
        work.position,
        prefix=wanted.prefix,
        count=wanted.count,
        memory=Memory(),
        progress=work.progress,
    )
    return results.suggest_answer(work.document.text, found)


async def _prove(work: Work, wanted: wire.Prove) -> wire.Answer:
    from llmstep.proofs.plan import Plan
    from llmstep.search.prover import Method

    settings = work.app.settings
    method = Method.of(
        settings,
        tactics=wanted.tactics,
        expansions=wanted.expansions,
        seconds=wanted.seconds,
        samples=wanted.samples,
    )
    found = await work.app.prove(work.document, work.points, Plan.of(settings, method), work.progress)
    return results.prove_answer(found)


async def _premises(work: Work, wanted: wire.Premises) -> wire.Answer:
    point, goal = await work.goal()
    work.progress(Progress("goal", "Looking for premises"))
    source, found = await work.app.find_premises(work.document, point, goal, wanted.count)
    named = tuple(wire.NamedPremise(name=each.name, code=printable(each.code)) for each in found)
    return wire.PremisesAnswer(goal=goal.text, source="index" if source == "index" else "lean", premises=named)


TOOLS: Mapping[str, Tool] = {
    "goal": Tool(
        "Goal at a position",
        "Asks Lean for the goal at a position of a Lean file: hypotheses and what is to be proved. Use a `sorry`, a "
        "blank line of a proof, or a step, in front of which the goal is taken.",
        wire.Place,
        wire.GoalAnswer,
        _goal,
    ),
    "check": Tool(
        "Check a step",
        "Runs one step (a tactic) at the goal of a position in Lean and says whether it closes the goal, which goals "
        "it leaves, or why it fails. The file is not changed.",
        wire.Check,
        wire.CheckAnswer,
        _check,
    ),
    "suggest": Tool(
        "Suggest next steps",
        "Draws next steps for the goal at a position from a language model made for Lean, adds Lean's own tactics "
        "(simp, omega, exact?, ...), runs every step in Lean, and returns those that work, best first, with the edit "
        "that inserts each, and those that Lean refused, with its reasons.",
        wire.Suggest,
        wire.SuggestAnswer,
        _suggest,
    ),
    "prove": Tool(
        "Search for a proof",
        "Searches for a whole proof of the goal at a position, best-first over steps of the model and of Lean, and has "
        "Lean check it in the file. May take as long as `seconds` says.",
        wire.Prove,
        wire.ProveAnswer,
        _prove,
    ),
    "premises": Tool(
        "Find premises",
        "Names definitions and lemmas that may help with the goal at a position, by Lean's own searches (exact?, rw?) "
        "or by an index of the project, with their types.",
        wire.Premises,
        wire.PremisesAnswer,
        _premises,
    ),
}


def placed(name: str, raw: Mapping[str, Any]) -> tuple[Tool, Any]:
    """A tool and the arguments of a call of it.

    Raises:
        RequestError: There is no such tool, or an argument is missing, unknown or wrong.
    """
    tool = TOOLS.get(name)
    if tool is None:
        raise RequestError(f"There is no tool {shown(name)}.", hint=f"The tools are {', '.join(TOOLS)}.")
    return tool, TOOLS_READER.read(tool.takes, raw, argument_error(name))


async def run(app: App, path: Path, tool: Tool, wanted: Any, progress: ProgressSink) -> dict[str, Any]:
    """What a tool answers for a file.

    Cancelling the task stops the model within one decoding step and Lean at once.

    Raises:
        RequestError: The file cannot be read, or has no such line.
        NoGoalError: There is no goal.
        LeanError: Lean cannot be started or does not answer.
        ModelError: The model cannot be loaded or run.
    """
    document = await aside(files.read, path)
    where = await aside(files.where, document, wanted, path.name)
    position, points = await aside(insertion_points_at, document.text, where)
    return dict(to_json(await tool.run(Work(app, document, position, points, progress), wanted)))
