"""What a model is asked at a place in a file: the goal, the text before it, the theorem's name, the proof so far.

The same for a cursor in an editor, for a client that sends the text before the goal, and for a training pair that was
taken from a file: what a model is trained on is what it will be asked.
"""

from __future__ import annotations

import re
import textwrap
from typing import Final

from llmstep.lean.insertion_point import PLACEHOLDER, InsertionPoint
from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.text import masked_text, position_at
from llmstep.lean.tokens import outside, tokenize
from llmstep.types import Goal, PromptInput

_BODY: Final = re.compile(r":=\s*(?:by\b[ \t]*\n?)?")


def prompt_input_at(text: str, point: InsertionPoint, goal: Goal, prefix: str) -> PromptInput:
    """The ask at an insertion point of a file."""
    return PromptInput(
        goal=goal,
        prefix=prefix,
        context=(text[: point.start] + point.lead).replace("\r\n", "\n"),  # as Lean reads it
        declaration=point.declaration.name,
        proof=proof_so_far(text, point),
    )


def prompt_input_behind(context: str, goal: Goal, prefix: str) -> PromptInput:
    """The ask at the end of a file, for those who have only the text before the goal: the same as at that place.

    Args:
        context: The text up to the place where the next step goes; it may be a part of the file, or empty.
    """
    point = insertion_point_behind(context)
    return prompt_input_at(context, point, goal, prefix) if point else PromptInput(goal, prefix, context)


def insertion_point_behind(context: str) -> InsertionPoint | None:
    """The insertion point of a `sorry` behind the text before a goal; None where the text shows no proof there."""
    point = find_insertion_point(context + PLACEHOLDER, position_at(context, len(context))) if context.strip() else None
    return point if point is not None and point.start == len(context) else None


def proof_so_far(text: str, point: InsertionPoint) -> str:
    """The steps between `:= by` and the insertion point, without the indentation that all have."""
    masked = masked_text(text)
    tokens = outside(tokenize(masked, point.declaration.start, point.start))
    body = next((_BODY.match(masked, each.start, point.start) for each in tokens if each.text == ":="), None)
    written = text[body.end() : point.start].replace("\r\n", "\n") if body else ""
    return textwrap.dedent(written.rstrip()).strip("\n")
