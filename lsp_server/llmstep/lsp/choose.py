"""Which suggestion of a goal is shown as the hint, and its acceptance: `llmstep.choose` and `llmstep.accept`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llmstep.wire.steps import ShownSuggestion, shown_verdict

if TYPE_CHECKING:
    from llmstep.lsp.session import Session
    from llmstep.memory import Document, SuggestionSet
    from llmstep.wire.commands import ChooseParams


async def choose(ls: Session, wanted: ChooseParams, _: object) -> ShownSuggestion | None:
    """Show another suggestion of the goal at a position: `step` is 1 for the next, -1 for the one before.

    Returns:
        The one that is shown now, as `accept` returns it; None where nothing is known.
    """
    return await _shown(ls, wanted, wanted.step)


async def accept(ls: Session, wanted: ChooseParams, _: object) -> ShownSuggestion | None:
    """The suggestion that the hint shows at a position, for the client to insert; None where nothing is known."""
    return await _shown(ls, wanted, 0)


async def _shown(ls: Session, wanted: ChooseParams, step: int) -> ShownSuggestion | None:
    document = ls.documents.snapshot(wanted.text_document.uri)
    known = await ls.places.known(document, wanted.position, wanted.diagnostics)
    if known is None or not known.suggestions:
        return None
    if step:
        index = (_index(known) + step) % len(known.suggestions)
        known = attrs.evolve(known, chosen=known.suggestions[index].text)
        ls.memory.remember(known)
        ls.refresh_hints()
    return await ls.places.read(document, _answer, document, known)


def _answer(document: Document, known: SuggestionSet) -> ShownSuggestion:
    shown = known.suggestions[_index(known)]
    return ShownSuggestion(
        text=shown.text,
        edit=known.point.edit(document.text, shown.text),
        verdict=shown_verdict(shown.check.verdict),
        index=_index(known),
        count=len(known.suggestions),
    )


def _index(known: SuggestionSet) -> int:
    texts = [each.text for each in known.suggestions]
    return texts.index(known.chosen) if known.chosen in texts else 0
