"""Why there is no goal to work on: none is left, something above fails, or the statement has an error of its own.

What Lean understands of a statement with an error is not what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from llmstep.errors import NoGoalError, StepFailsError
from llmstep.lean.insertion_point import InsertionPoint
from llmstep.lean.text import mask, masked_text, position_at
from llmstep.lean.tokens import body_of
from llmstep.lean.verdict import ERROR, Diagnostic, Outcome, is_unsolved, place_of

_SORRY: Final = re.compile(r"(?<![\w.«'!?])sorry(?![\w.'!?»])")


def statement_error(text: str, point: InsertionPoint, outcome: Outcome, goals: Sequence[str]) -> NoGoalError | None:
    """The error of a statement that Lean did not understand; None for a statement in order.

    Args:
        outcome: With the placeholder at the insertion point.
        goals: Those there. A `sorry` in them that nobody wrote stands for what Lean did not understand.
    """
    masked = masked_text(text)[: point.start]
    begin = point.declaration.name_span[1]
    body = body_of(masked, begin, len(masked))
    first, last = (position_at(text, offset) for offset in (begin, body.start if body else len(masked)))
    own = [error for place, error in outcome.errors() if first <= place < last and not is_unsolved(error)]
    if own:
        message = "The statement has an error of its own, so that nothing can be proved about it."
        return NoGoalError(message, hint=_reported(own[0]))
    if not any(_SORRY.search(mask(goal)) for goal in goals[:1]) or _SORRY.search(masked, point.declaration.start):
        return None
    above = [error for place, error in outcome.errors() if place < outcome.shadow.start and not is_unsolved(error)]
    if not above:
        return None
    inside = [error for error in above if place_of(error).line >= first.line]
    message = "The goal contains an error of the text above it, so that nothing can be proved about it."
    return NoGoalError(message, hint=_reported([*inside, above[-1]][0]))


def no_goal(goals: Sequence[str] | None, own: Sequence[Diagnostic], point: InsertionPoint, text: str) -> NoGoalError:
    """Why there is no goal: all are accomplished, or something above fails.

    Args:
        own: What Lean says about the text as it is, to the end of the declaration: an error that comes from leaving
            out what stands below the goal is none of the user's.
    """
    start, scope = position_at(text, point.start), text.count("\n", 0, point.declaration.start)
    above = [error for error in own if place_of(error) < start and not is_unsolved(error)]
    errors = [error for error in above if error.get("severity") == ERROR]
    fatal = [error for error in errors if place_of(error).line >= scope or place_of(error).line == 0]
    if fatal:
        message = "There is no goal here: an earlier step or the file's header fails."
        return StepFailsError(message, hint=_reported(fatal[0]))
    if goals or goals is None:
        return StepFailsError("There is no goal here.", hint="Put the cursor at a tactic, a `sorry` or after `by`.")
    return NoGoalError("All goals are accomplished here.", hint="Put the cursor where Lean still shows a goal.")


def _reported(error: Diagnostic) -> str:
    return f"Lean reports at line {place_of(error).line + 1}: {error['message'].strip().splitlines()[0]}"
