"""The known steps as ghost text, at the goal they are for; off unless the user wants it.

Answers from memory, like the inlay hints: ghost text that starts a model on every key would be unbearable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from llmstep.lean.text import offset_at
from llmstep.lsp import inlay_hints

if TYPE_CHECKING:
    from llmstep.lsp.server import LlmstepServer
    from llmstep.memory import Document, SuggestionSet

OPTIONS = types.InlineCompletionOptions()


class Ghost:
    """The goal whose step was last given as ghost text, so that its hint does not show the step a second time."""

    def __init__(self, ls: LlmstepServer) -> None:
        self._ls = ls
        self._goal: tuple[str, str] | None = None

    def shows(self, known: SuggestionSet) -> bool:
        return self._goal == (known.uri, known.key)

    def given(self, known: SuggestionSet | None) -> None:
        """Ghost text was given for this goal; with None there is none."""
        goal = (known.uri, known.key) if known else None
        if goal != self._goal:
            self._goal = goal
            inlay_hints.refresh(self._ls)

    def cursor_at(self, known: SuggestionSet | None) -> None:
        """The cursor is at this goal; ghost text of another one has gone."""
        if self._goal is not None and (known is None or not self.shows(known)):
            self.given(None)


async def inline_completion(
    ls: LlmstepServer, params: types.InlineCompletionParams
) -> list[types.InlineCompletionItem]:
    """`textDocument/inlineCompletion`: the steps for the goal at the cursor, the one that the hint shows first."""
    document = ls.documents.find(params.text_document.uri)
    if document is None or not ls.settings.inline_completion.enabled:
        return []
    known = await ls.places.known(document, params.position)
    items = await ls.places.read(document, _items, document, known, params.position) if known else []
    ls.ghost.given(known if items else None)
    return items


def _items(document: Document, known: SuggestionSet, cursor: types.Position) -> list[types.InlineCompletionItem]:
    steps = sorted(known.suggestions, key=lambda each: each is not known.shown)  # the others keep their order
    edits = [known.site.edit(document.text, each.text) for each in steps]
    return [_item(document.text, edit) for edit in edits if _at(edit.range, cursor)]


def _at(place: types.Range, cursor: types.Position) -> bool:
    """Whether an edit touches the cursor and, as the protocol wants it, one line only."""
    return place.start.line == place.end.line and place.start <= cursor <= place.end


def _item(text: str, edit: types.TextEdit) -> types.InlineCompletionItem:
    replaced = text[offset_at(text, edit.range.start) : offset_at(text, edit.range.end)]
    # Editors show only what begins with the text it replaces, unless told to compare with another text.
    filter_text = None if edit.new_text.startswith(replaced) else replaced
    return types.InlineCompletionItem(insert_text=edit.new_text, filter_text=filter_text, range=edit.range)
