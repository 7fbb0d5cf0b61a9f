"""A set of suggestions as clients get it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstep.printable import printable

if TYPE_CHECKING:
    from llmstep.memory import Document, SuggestionSet


def record(document: Document, found: SuggestionSet) -> dict[str, Any]:
    """`{goal, model, elapsedMs, summary, suggestions, rejected}`, with edits for the document's text."""
    return {
        "goal": found.goal.state,
        "model": found.model,
        "elapsedMs": found.elapsed_ms,
        "summary": printable(found.summary()),
        "suggestions": [
            {
                "text": each.text,
                "score": each.candidate.score,
                "verdict": each.check.verdict.value,
                "source": each.candidate.source,
                "repairedFrom": each.candidate.repaired_from or None,
                "remainingGoals": list(each.check.goals),
                "edit": found.site.edit(document.text, each.text),
            }
            for each in found.suggestions
        ],
        "rejected": [{"text": each.text, "reason": printable(each.reason)} for each in found.rejected],
    }
