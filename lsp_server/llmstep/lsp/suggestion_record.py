"""A set of suggestions as clients get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.printable import printable
from llmstep.wire.steps import Rejected, SuggestAnswer, Suggestion, step_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep import types
    from llmstep.memory import Document, SuggestionSet


def record(document: Document, found: SuggestionSet) -> SuggestAnswer:
    """What `llmstep.suggest` answers, with edits for the document's text."""
    return SuggestAnswer(
        goal=found.goal.state,
        model=found.model,
        elapsed_ms=found.elapsed_ms,
        summary=printable(found.summary()),
        suggestions=tuple(
            Suggestion(**step_fields(each), edit=found.point.edit(document.text, each.text))
            for each in found.suggestions
        ),
        rejected=refused(found.rejected),
    )


def refused(steps: Sequence[types.Suggestion]) -> tuple[Rejected, ...]:
    """Steps that Lean refused, with its reasons."""
    return tuple(Rejected(text=each.text, reason=printable(each.reason)) for each in steps)
