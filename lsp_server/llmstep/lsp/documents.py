"""Open documents, with Lean's idea of a line.

pygls splits lines where Python does (form feeds, U+2028, ...). Editors and Lean do not, and one such character in a
comment would put every later edit at a wrong place; so the edits are applied here. An edit is worked out in the thread
that reads it (`Documents.edit`) and takes effect in the event loop (`Documents.take`), so that a long document delays
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from urllib.parse import unquote

import attrs
from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

from llmstep.errors import RequestError
from llmstep.lean.text import offset_at, position_at
from llmstep.memory import Document, Edit

LANGUAGES = ("lean4", "lean")
"""Language ids of Lean 4 files: VS Code and Neovim say `lean4`, Emacs says `lean`."""

_log = logging.getLogger(__name__)


@attrs.frozen
class NewText:
    """A document's text after the changes of one message."""

    uri: str
    version: int
    edit: Edit
    at: types.Position | None
    """Where the last change ended; None when the whole text was replaced."""


class LeanDocument(TextDocument):
    """A document whose text changes as `Documents` says."""

    def __init__(self, uri: str, source: str, version: int | None, language_id: str | None) -> None:
        try:
            super().__init__(uri, source=source, version=version, language_id=language_id)
        except ValueError:  # an address that cannot be taken apart is a name like any other
            super().__init__("", source=source, version=version, language_id=language_id)
            self.uri = uri

    def take(self, new: NewText) -> None:
        self._source, self.version = new.edit.after, new.version


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

    def _create_text_document(
        self, doc_uri: str, source: str | None = None, version: int | None = None, language_id: str | None = None
    ) -> TextDocument:
        return LeanDocument(doc_uri, source or "", version, language_id)

    def edit(self, params: types.DidChangeTextDocumentParams) -> NewText | None:
        """What a message changes; None where its document is not open. May be called from the thread that reads."""
        document = self.text_documents.get(unquote(params.text_document.uri))
        if not isinstance(document, LeanDocument):
            _log.debug("a change of %s, which is not open", params.text_document.uri)
            return None
        text, at = _after(document.source, params.content_changes)
        edit = Edit.between(document.source, text)
        return NewText(params.text_document.uri, params.text_document.version, edit, at)

    def take(self, new: NewText) -> None:
        """Have a change take effect."""
        document = self.text_documents.get(unquote(new.uri))
        if isinstance(document, LeanDocument):
            document.take(new)

    def snapshot(self, uri: str) -> Document:
        """The document as it is now, as a value.

        Raises:
            RequestError: It is not open, or is no Lean file.
        """
        document = self.text_documents.get(unquote(uri))
        if document is None:
            raise RequestError(f"The file {shown(uri)} is not open in the editor.", hint="Open it first.")
        if document.language_id not in LANGUAGES:
            raise RequestError(
                f"The file {shown(uri)} has the language id {shown(str(document.language_id))!r}.",
                hint=f"llmstep answers for {' and '.join(LANGUAGES)}.",
            )
        return Document(uri, document.version, document.source)

    def find(self, uri: str) -> Document | None:
        """The document as it is now; None when it is not open or is no Lean file."""
        try:
            return self.snapshot(uri)
        except RequestError:
            return None


def shown(name: str) -> str:
    """A name of the client's in a sentence: not longer than a line."""
    return name if len(name) <= 200 else name[:197] + "..."
