"""The five tools: arguments in, a record out, by the same use cases as the editor."""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol.types import Position, Range, TextEdit

from llmstep.aside import aside
from llmstep.errors import RequestError
from llmstep.lean.file_text import read_text
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.lean.text import range_at
from llmstep.mcp import files
from llmstep.memory import Document, Memory, insertion_points_at
from llmstep.printable import printable
from llmstep.progress import Progress, ProgressSink
from llmstep.setting_values import shown
from llmstep.types import Goal
from llmstep.wire import tools as wire
from llmstep.wire.reading import TOOLS as TOOLS_READER
from llmstep.wire.reading import argument_error
from llmstep.wire.records import to_json
from llmstep.wire.steps import rejected, step_fields, verdict_text

if TYPE_CHECKING:
    from llmstep.app import App


@attrs.frozen
class Work:
    """A call at its place, and what does it."""

    app: App
    document: Document
    position: Position
    points: list[InsertionPoint]
    progress: ProgressSink

    async def goal(self) -> tuple[InsertionPoint, Goal]:
        """The first of the places at which Lean has a goal."""
        self.progress(Progress("goal", "Asking Lean for the goal"))
        return await self.app.goal(self.document, self.points, progress=self.progress)


async def _goal(work: Work, wanted: wire.Place) -> wire.GoalAnswer:
    """Goal at a position. Asks Lean for the goal at a position of a Lean file: hypotheses and what is to be proved. Use
    a `sorry`, a blank line of a proof, or a step, in front of which the goal is taken.
    """
    point, goal = await work.goal()
    place = _span(range_at(work.document.text, point.start, point.end))
    return wire.GoalAnswer(goal=goal.text, others=goal.others, declaration=point.declaration.name, place=place)


async def _check(work: Work, wanted: wire.Check) -> wire.CheckAnswer:
    """Check a step. Runs one step (a tactic) at the goal of a position in Lean and says whether it closes the goal,
    which goals it leaves, or why it fails. The file is not changed.
    """
    point, goal = await work.goal()
    document = work.document
    work.progress(Progress("check", "Checking"))
    [check] = await work.app.lean.check(document.uri, document.text, point, [wanted.step])
    return wire.CheckAnswer(
        goal=goal.text,
        verdict=verdict_text(check.verdict),
        remaining_goals=check.goals,
        message=printable(check.message),
        edit=_edit(point.edit(document.text, wanted.step)),
    )


async def _suggest(work: Work, wanted: wire.Suggest) -> wire.SuggestAnswer:
    """Suggest next steps. Draws next steps for the goal at a position from a language model made for Lean, adds Lean's
    own tactics (simp, omega, exact?, ...), runs every step in Lean, and returns those that work, best first, with the
    edit that inserts each, and those that Lean refused, with its reasons.
    """
    found = await work.app.suggest(
        work.document,
        work.position,
        prefix=wanted.prefix,
        count=wanted.count,
        memory=Memory(),
        progress=work.progress,
    )
    return wire.SuggestAnswer(
        goal=found.goal.text,
        model=found.model,
        elapsed_ms=found.elapsed_ms,
        summary=printable(found.summary()),
        suggestions=tuple(
            wire.SuggestedStep(**step_fields(each), edit=_edit(found.point.edit(work.document.text, each.text)))
            for each in found.suggestions
        ),
        rejected=rejected(found.rejected),
    )


async def _prove(work: Work, wanted: wire.Prove) -> wire.ProveAnswer:
    """Search for a proof. Searches for a whole proof of the goal at a position, best-first over steps of the model and
    of Lean, and has Lean check it in the file. May take as long as `seconds` says.
    """
    from llmstep.search.attempt import Plan

    plan = Plan.of(
        work.app.settings,
        tactics=wanted.tactics,
        expansions=wanted.expansions,
        seconds=wanted.seconds,
        samples=wanted.samples,
    )
    found = await work.app.prove(work.document, work.points, plan, work.progress)
    partial = found.partial
    return wire.ProveAnswer(
        goal=found.goal.text,
        outcome=found.outcome,
        proof=found.proof,
        edit=_edit(found.edit) if found.edit else None,
        partial=partial.proof if partial else None,
        remaining_goals=partial.goals if partial else (),
        expansions=found.expansions,
        seconds=found.seconds,
        model=found.model,
    )


async def _premises(work: Work, wanted: wire.Premises) -> wire.PremisesAnswer:
    """Find premises. Names definitions and lemmas that may help with the goal at a position, by Lean's own searches
    (exact?, rw?) or by an index of the project, with their types.
    """
    point, goal = await work.goal()
    work.progress(Progress("goal", "Looking for premises"))
    source, found = await work.app.find_premises(work.document, point, goal, wanted.count)
    named = tuple(wire.NamedPremise(name=each.name, code=printable(each.code)) for each in found)
    return wire.PremisesAnswer(goal=goal.text, source="index" if source == "index" else "lean", premises=named)


Tool = Callable[[Work, Any], Awaitable[wire.Answer]]
TOOLS: Mapping[str, Tool] = {
    "goal": _goal,
    "check": _check,
    "suggest": _suggest,
    "prove": _prove,
    "premises": _premises,
}
"""Each is described to clients by its types and its text, of which the first sentence is the title (tools.json)."""


@attrs.frozen
class Call:
    """A call of a tool, of which the file has been found."""

    tool: Tool
    wanted: Any
    path: Path

    @classmethod
    def of(cls, name: str, raw: Mapping[str, Any], roots: Sequence[Path]) -> Call:
        """That of a tool by its name; raises RequestError where there is no such tool or file, or an argument is wrong.

        Args:
            roots: Folders in which files may be read.
        """
        if name not in TOOLS:
            raise RequestError(f"There is no tool {shown(name)}.", hint=f"The tools are {', '.join(TOOLS)}.")
        takes = typing.get_type_hints(TOOLS[name])["wanted"]
        wanted = TOOLS_READER.read(takes, raw, argument_error(name))
        return cls(TOOLS[name], wanted, files.find(wanted.file, roots))

    async def run(self, app: App, progress: ProgressSink) -> dict[str, Any]:
        """What the tool answers; cancelling the task stops the model within one decoding step and Lean at once."""
        document = Document(self.path.as_uri(), None, await aside(read_text, self.path))
        where = await aside(files.where, document.text, self.wanted, self.path.name)
        position, points = await aside(insertion_points_at, document.text, where)
        return dict(to_json(await self.tool(Work(app, document, position, points, progress), self.wanted)))


def _edit(edit: TextEdit) -> wire.Edit:
    return wire.Edit(range=_span(edit.range), new_text=edit.new_text)


def _span(where: Range) -> wire.Span:
    return wire.Span(start=_spot(where.start), end=_spot(where.end))


def _spot(place: Position) -> wire.Spot:
    return wire.Spot(line=place.line + 1, column=place.character + 1)
