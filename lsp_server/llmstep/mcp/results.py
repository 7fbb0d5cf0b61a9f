"""What the tools answer: the records, and their JSON Schemas, which a client checks the answers against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from llmstep.lean.text import range_at
from llmstep.printable import printable
from llmstep.types import CandidateSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsprotocol.types import Position, Range, TextEdit

    from llmstep.lean.insertion_points import InsertionPoint
    from llmstep.memory import SuggestionSet
    from llmstep.search.interface import Attempt
    from llmstep.types import Check, Goal, Premise

Record = dict[str, Any]


def _object(doc: str, **properties: Record) -> Record:
    return {
        "type": "object",
        "description": doc,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(doc: str, items: Record) -> Record:
    return {"type": "array", "description": doc, "items": items}


def _one(kind: str | list[str], doc: str) -> Record:
    return {"type": kind, "description": doc}


_TEXT = {"type": "string"}
_POSITION = _object(
    "A position.",
    line=_one("integer", "From 1."),
    column=_one("integer", "From 1, in UTF-16 units."),
)
_RANGE = _object("A part of the file; the end is exclusive.", start=_POSITION, end=_POSITION)
_EDIT = _object(
    "What puts it into the file: the range is replaced by the text.",
    range=_RANGE,
    new_text=_one("string", "With the indentation of its place."),
)
_VERDICT = {
    "type": "string",
    "enum": ["closes", "progress", "invalid", "unchecked"],
    "description": "By Lean: the main goal is gone; the step runs and leaves other goals; Lean refuses the step, it "
    "changes nothing or is no proof; or there is no verdict.",
}
_GOALS = _list("The goals that are left, those behind the main goal included.", _TEXT)
_GOAL = _one("string", "The goal at the position, as Lean prints it: hypotheses, then a line with ⊢.")
_MODEL = _one("string", "The model that was asked.")

GOAL = _object(
    "The goals at a position.",
    goal=_GOAL,
    others=_list("The goals behind it.", _TEXT),
    declaration=_one("string", "The theorem that it belongs to; empty where it has no name."),
    place={**_RANGE, "description": "What a step at this goal would replace; empty where it would be inserted."},
)
CHECK = _object(
    "What Lean says about a step.",
    goal=_GOAL,
    verdict=_VERDICT,
    remaining_goals=_GOALS,
    message=_one("string", "Why the step is invalid or has no verdict; empty otherwise."),
    edit=_EDIT,
)
SUGGEST = _object(
    "Steps for the goal at a position.",
    goal=_GOAL,
    model=_MODEL,
    elapsed_ms=_one("number", "Time of the whole work."),
    summary=_one("string", "How many steps came, and what Lean said about them."),
    suggestions=_list(
        "Best first.",
        _object(
            "A step.",
            text=_TEXT,
            score=_one(["number", "null"], "Mean log-probability of its tokens; null where the model gives none."),
            verdict=_VERDICT,
            source={
                "type": "string",
                "enum": list(get_args(CandidateSource)),
                "description": "The model, Lean's own tactics, or the model with a name that was repaired.",
            },
            repaired_from=_one(["string", "null"], "What the model wrote, where a name was repaired."),
            remaining_goals=_GOALS,
            edit=_EDIT,
        ),
    ),
    rejected=_list("What Lean refused.", _object("A step.", text=_TEXT, reason=_TEXT)),
)
PROVE = _object(
    "A proof of the goal at a position, accepted by Lean in the file, or why there is none.",
    goal=_GOAL,
    outcome={
        "type": "string",
        "enum": ["proved", "partial", "exhausted", "expansions", "seconds", "rounds", "tokens", "refused"],
        "description": "proved; all but some goals; or no state is left to expand, the limit of expansions, of time, "
        "of rounds or of tokens is reached, or Lean refuses the proof that was found in the whole file.",
    },
    proof=_one(["string", "null"], "The steps, without the indentation of their place."),
    edit={**_EDIT, "type": ["object", "null"]},
    partial=_one(["string", "null"], "With the outcome partial: the steps, with `sorry` for each goal that is left."),
    remaining_goals=_list("With the outcome partial: the goals that are left.", _TEXT),
    expansions=_one("integer", "States that were expanded."),
    seconds=_one("number", "Time of the whole work."),
    model=_one(["string", "null"], "The model that was asked; null with the fixed list alone."),
)
PREMISES = _object(
    "Definitions and lemmas that may help with the goal at a position.",
    goal=_GOAL,
    source={
        "type": "string",
        "enum": ["lean", "index"],
        "description": "Lean's own searches, or the index of the settings.",
    },
    premises=_list(
        "Best first.",
        _object("A definition or lemma.", name=_one("string", "Full name."), code=_one("string", "How it is stated.")),
    ),
)


def goal_record(text: str, point: InsertionPoint, goal: Goal) -> Record:
    """See `GOAL`."""
    return {
        "goal": goal.text,
        "others": list(goal.others),
        "declaration": point.declaration,
        "place": _range(range_at(text, point.start, point.end)),
    }


def check_record(text: str, point: InsertionPoint, goal: Goal, step: str, check: Check) -> Record:
    """See `CHECK`."""
    return {
        "goal": goal.text,
        "verdict": check.verdict.value,
        "remaining_goals": list(check.goals),
        "message": printable(check.message),
        "edit": _edit(point.edit(text, step)),
    }


def suggest_record(text: str, found: SuggestionSet) -> Record:
    """See `SUGGEST`."""
    return {
        "goal": found.goal.text,
        "model": found.model,
        "elapsed_ms": found.elapsed_ms,
        "summary": printable(found.summary()),
        "suggestions": [
            {
                "text": each.text,
                "score": each.candidate.score,
                "verdict": each.check.verdict.value,
                "source": each.candidate.source,
                "repaired_from": each.candidate.repaired_from or None,
                "remaining_goals": list(each.check.goals),
                "edit": _edit(found.point.edit(text, each.text)),
            }
            for each in found.suggestions
        ],
        "rejected": [{"text": each.text, "reason": printable(each.reason)} for each in found.rejected],
    }


def prove_record(found: Attempt) -> Record:
    """See `PROVE`."""
    return {
        "goal": found.goal.text,
        "outcome": found.outcome,
        "proof": found.proof,
        "edit": None if found.edit is None else _edit(found.edit),
        "partial": found.partial.proof if found.partial else None,
        "remaining_goals": list(found.partial.goals) if found.partial else [],
        "expansions": found.expansions,
        "seconds": found.seconds,
        "model": found.model,
    }


def premises_record(goal: Goal, source: str, premises: Sequence[Premise]) -> Record:
    """See `PREMISES`."""
    found = [{"name": each.name, "code": printable(each.code)} for each in premises]
    return {"goal": goal.text, "source": source, "premises": found}


def _edit(edit: TextEdit) -> Record:
    return {"range": _range(edit.range), "new_text": edit.new_text}


def _range(where: Range) -> Record:
    return {"start": _position(where.start), "end": _position(where.end)}


def _position(place: Position) -> Record:
    return {"line": place.line + 1, "column": place.character + 1}
