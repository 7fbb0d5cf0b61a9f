"""Open documents, with Lean's idea of a line.

pygls splits lines where Python does (form feeds, U+2028, ...). Editors and Lean do not, and one such character in a
comment would put every later edit at a wrong place; so the edits are applied here. An edit is worked out in the thread
that reads it (`Documents.edit`) and takes effect in the event loop, so that a long document delays nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

import attrs
from lsprotocol import types
from pygls.workspace import Workspace

from llmstep.errors import RequestError
from llmstep.lean.text import offset_at, position_at
from llmstep.memory import Document, Edit

LANGUAGES = ("lean4", "lean")
"""Language ids of Lean 4 files: VS Code and Neovim say `lean4`, Emacs says `lean`."""


@attrs.frozen
class NewText:
    """A document after the changes of one message."""

    item: types.TextDocumentItem
    edit: Edit
    at: types.Position | None
    """Where the last change ended; None when the whole text was replaced."""


def _after(text: str, changes: Sequence[types.TextDocumentContentChangeEvent]) -> tuple[str, types.Position | None]:
    """A text after some changes, and where the last of them ended; a range may be the wrong way round."""
    end: int | None = None
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangePartial):
            start, stop = sorted(offset_at(text, place) for place in (change.range.start, change.range.end))
            text = text[:start] + change.text + text[stop:]
            end = start + len(change.text)
        else:
            text, end = change.text, None
    return text, None if end is None else position_at(text, end)


class Documents(Workspace):
    """The documents that the client has open, and its folders."""

    def __init__(self, root_uri: str | None, folders: Sequence[types.WorkspaceFolder] = ()) -> None:
        super().__init__(root_uri, workspace_folders=folders)
        self._open: dict[str, types.TextDocumentItem] = {}

    def put_text_document(self, text_document: types.TextDocumentItem, notebook_uri: str | None = None) -> None:
        self._open[unquote(text_document.uri)] = text_document

    def remove_text_document(self, doc_uri: str) -> None:
        self._open.pop(unquote(doc_uri), None)

    def edit(self, params: types.DidChangeTextDocumentParams) -> NewText | None:
        """What a message changes; None where its document is not open. May be called from the thread that reads."""
        item = self._open.get(unquote(params.text_document.uri))
        if item is None:
            return None
        text, at = _after(item.text, params.content_changes)
        new = attrs.evolve(item, uri=params.text_document.uri, version=params.text_document.version, text=text)
        return NewText(new, Edit.between(item.text, text), at)

    def snapshot(self, uri: str) -> Document:
        """The document as it is now, as a value.

        Raises:
            RequestError: It is not open, or is no Lean file.
        """
        item = self._open.get(unquote(uri))
        if item is None:
            raise RequestError(f"The file {shown(uri)} is not open in the editor.", hint="Open it first.")
        if item.language_id not in LANGUAGES:
            raise RequestError(
                f"The file {shown(uri)} has the language id {shown(str(item.language_id))!r}.",
                hint=f"llmstep answers for {' and '.join(LANGUAGES)}.",
            )
        return Document(uri, item.version, item.text)

    def find(self, uri: str) -> Document | None:
        """The document as it is now; None when it is not open or is no Lean file."""
        try:
            return self.snapshot(uri)
        except RequestError:
            return None


def shown(name: str) -> str:
    """A name of the client's in a sentence: not longer than a line."""
    return name if len(name) <= 200 else name[:197] + "..."
