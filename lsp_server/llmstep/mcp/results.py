"""What the tools answer, as the records of `llmstep.wire.tools`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.lean.text import range_at
from llmstep.printable import printable
from llmstep.types import Check, Goal
from llmstep.wire.steps import rejected, step_fields, verdict_text
from llmstep.wire.tools import (
    CheckAnswer,
    Edit,
    GoalAnswer,
    ProveAnswer,
    Span,
    Spot,
    SuggestAnswer,
    SuggestedStep,
)

if TYPE_CHECKING:
    from lsprotocol.types import Position, Range, TextEdit

    from llmstep.lean.insertion_points import InsertionPoint
    from llmstep.memory import SuggestionSet
    from llmstep.search.interface import Attempt


def goal_answer(text: str, point: InsertionPoint, goal: Goal) -> GoalAnswer:
    place = _span(range_at(text, point.start, point.end))
    return GoalAnswer(goal=goal.text, others=goal.others, declaration=point.declaration.name, place=place)


def check_answer(text: str, point: InsertionPoint, goal: Goal, step: str, check: Check) -> CheckAnswer:
    return CheckAnswer(
        goal=goal.text,
        verdict=verdict_text(check.verdict),
        remaining_goals=check.goals,
        message=printable(check.message),
        edit=_edit(point.edit(text, step)),
    )


def suggest_answer(text: str, found: SuggestionSet) -> SuggestAnswer:
    return SuggestAnswer(
        goal=found.goal.text,
        model=found.model,
        elapsed_ms=found.elapsed_ms,
        summary=printable(found.summary()),
        suggestions=tuple(
            SuggestedStep(**step_fields(each), edit=_edit(found.point.edit(text, each.text)))
            for each in found.suggestions
        ),
        rejected=rejected(found.rejected),
    )


def prove_answer(found: Attempt) -> ProveAnswer:
    partial = found.partial
    return ProveAnswer(
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


def _edit(edit: TextEdit) -> Edit:
    return Edit(range=_span(edit.range), new_text=edit.new_text)


def _span(where: Range) -> Span:
    return Span(start=_spot(where.start), end=_spot(where.end))


def _spot(place: Position) -> Spot:
    return Spot(line=place.line + 1, column=place.character + 1)
