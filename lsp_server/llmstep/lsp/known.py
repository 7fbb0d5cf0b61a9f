"""What is known for the goal at a place: for a panel (`llmstep/known`), and for the hint (`llmstep.choose`, `.accept`).

A client with the experimental capability `llmstepKnown` learns from `llmstep/knownChanged` that it should ask again,
and its hints have links that run its command `llmstep.insert`.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import attrs
from lsprotocol.types import Position

from llmstep.aside import aside
from llmstep.lsp.code_actions import title
from llmstep.lsp.messages import has
from llmstep.lsp.session import Session
from llmstep.memory import Document, SuggestionSet
from llmstep.printable import printable
from llmstep.wire.commands import KNOWN, KNOWN_CHANGED, ChooseParams, PlaceWithDiagnostics
from llmstep.wire.reading import CLIENTS, argument_error
from llmstep.wire.records import to_editor
from llmstep.wire.steps import Known, ShownSuggestion, SuggestAnswer, Suggestion, rejected, shown_verdict, step_fields

INSERT = "llmstep.insert"


async def known(ls: Session, params: object) -> Any:
    """`llmstep/known`: from memory, so that it never waits.

    Returns:
        A `Known`; None where nothing is known for the goal at the position.
    """
    wanted = CLIENTS.read(PlaceWithDiagnostics, params, argument_error(KNOWN))
    document = ls.documents.find(wanted.text_document.uri)
    if document is None:
        return None
    found = await ls.places.known(document, wanted.position, wanted.diagnostics, latest=False)
    if found is None:
        return None
    answer = await aside(record, document, found)
    shown = Known(
        **attrs.asdict(answer, recurse=False),
        version=document.version,
        goals=(found.goal.text, *found.goal.others),
        working=ls.runs.busy(document.uri),
        rejected_tactics=rejected(found.refused_tactics),
    )
    return to_editor(shown)


def record(document: Document, found: SuggestionSet) -> SuggestAnswer:
    """A set of suggestions as clients get it, with edits for the document's text."""
    return SuggestAnswer(
        goal=found.goal.state,
        model=found.model,
        elapsed_ms=found.elapsed_ms,
        summary=printable(found.summary()),
        suggestions=tuple(
            Suggestion(**step_fields(each), title=title(each), edit=found.point.edit(document.text, each.text))
            for each in found.suggestions
        ),
        rejected=rejected(found.rejected),
    )


def notify(ls: Session, uri: str) -> None:
    """Say that there is news for a document, to a client that wants to hear of it."""
    if shows_known(ls):
        ls.protocol.notify(KNOWN_CHANGED, {"textDocument": {"uri": uri}})


def shows_known(ls: Session) -> bool:
    """Whether the client has a panel for what is known."""
    return has(ls.client_capabilities, "llmstepKnown")


def insert_link(uri: str, position: Position, text: str) -> str:
    """The target of a Markdown link that has the client insert a known step."""
    place = {"line": position.line, "character": position.character}
    argument = {"textDocument": {"uri": uri}, "position": place, "text": text}
    return f"command:{INSERT}?{quote(json.dumps([argument]), safe='')}"


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
    if known is None or known.shown is None:
        return None
    index = (known.suggestions.index(known.shown) + step) % len(known.suggestions)
    shown = known.suggestions[index]
    if step:
        ls.memory.remember(attrs.evolve(known, chosen=shown.text))
        ls.refresh_hints()
    return ShownSuggestion(
        text=shown.text,
        edit=await ls.places.read(document, lambda: known.point.edit(document.text, shown.text)),
        verdict=shown_verdict(shown.check.verdict),
        index=index,
        count=len(known.suggestions),
    )
