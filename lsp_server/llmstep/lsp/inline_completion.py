"""The known steps as ghost text, at the goal they are for; off unless the user wants it.

Answers from memory, like the inlay hints: ghost text that starts a model on every key would be unbearable.
"""

from __future__ import annotations

from lsprotocol import types

from llmstep.lean.text import offset_at
from llmstep.lsp.session import Session
from llmstep.memory import Document, SuggestionSet

OPTIONS = types.InlineCompletionOptions()


async def inline_completion(ls: Session, params: types.InlineCompletionParams) -> list[types.InlineCompletionItem]:
    """`textDocument/inlineCompletion`: the steps for the goal at the cursor, the one that the hint shows first."""
    document = ls.documents.find(params.text_document.uri)
    if document is None or not ls.settings.inline_completion.enabled:
        return []
    known = await ls.places.known(document, params.position)
    items = await ls.places.read(document, lambda: _items(document, known, params.position)) if known else []
    _given(ls, known if items else None)
    return items


def _given(ls: Session, known: SuggestionSet | None) -> None:
    """Ghost text was given for this goal, whose hint does not show the step a second time; with None there is none."""
    goal = (known.uri, known.key) if known else None
    if goal != ls.ghost:
        ls.ghost = goal
        ls.refresh_hints()


def shown_as_ghost(ls: Session, known: SuggestionSet) -> bool:
    """Whether ghost text shows the step of this goal."""
    return ls.ghost == (known.uri, known.key)


def cursor_at(ls: Session, known: SuggestionSet | None) -> None:
    """The cursor is at this goal; ghost text of another one has gone."""
    if known is None or not shown_as_ghost(ls, known):
        _given(ls, None)


def _items(document: Document, known: SuggestionSet, cursor: types.Position) -> list[types.InlineCompletionItem]:
    steps = sorted(known.suggestions, key=lambda each: each is not known.shown)  # the others keep their order
    edits = [known.point.edit(document.text, each.text) for each in steps]
    return [_item(document.text, edit) for edit in edits if _at(edit.range, cursor)]


def _at(place: types.Range, cursor: types.Position) -> bool:
    """Whether an edit touches the cursor and, as the protocol wants it, one line only."""
    return place.start.line == place.end.line and place.start <= cursor <= place.end


def _item(text: str, edit: types.TextEdit) -> types.InlineCompletionItem:
    replaced = text[offset_at(text, edit.range.start) : offset_at(text, edit.range.end)]
    # Editors show only what begins with the text it replaces, unless the item names another text to compare with.
    filter_text = None if edit.new_text.startswith(replaced) else replaced
    return types.InlineCompletionItem(insert_text=edit.new_text, filter_text=filter_text, range=edit.range)
