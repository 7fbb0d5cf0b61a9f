"""Links above each line with a `sorry` that start a run for it; off unless the user wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from llmstep.lsp.code_actions import PROVE, SUGGEST

if TYPE_CHECKING:
    from llmstep.lsp.session import Session
    from llmstep.memory import Document

OPTIONS = types.CodeLensOptions(resolve_provider=False)


async def code_lens(ls: Session, params: types.CodeLensParams) -> list[types.CodeLens]:
    """`textDocument/codeLens`: "suggest" and "prove" at each `sorry` that stands for a proof."""
    document = ls.documents.find(params.text_document.uri)
    if document is None or not ls.settings.code_lens:
        return []
    return await ls.places.read(document, _lenses, document)


def _lenses(document: Document) -> list[types.CodeLens]:
    # Here, because the search is not needed before.
    from llmstep.lean.text import range_at
    from llmstep.search.sorries import find_sorries

    lenses = []
    for sorry in find_sorries(document.text):
        place = range_at(document.text, sorry.start, sorry.end)
        argument = {"textDocument": {"uri": document.uri}, "position": place.start}
        for title, command in (("suggest", SUGGEST), ("prove", PROVE)):
            lenses.append(types.CodeLens(place, types.Command(title, command, arguments=[argument])))
    return lenses
