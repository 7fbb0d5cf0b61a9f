"""Open documents, with Lean's idea of a line.

pygls splits lines where Python does (form feeds, U+2028, ...). Editors and Lean do not, and one such character in a
comment would put every later edit at a wrong place; so the edits are applied here, on offsets.
"""

from __future__ import annotations

from urllib.parse import unquote

from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

from llmstep.errors import RequestError
from llmstep.lean.text import offset_at
from llmstep.memory import Document

LANGUAGES = ("lean4", "lean")
"""Language ids of Lean 4 files: VS Code and Neovim say `lean4`, Emacs says `lean`."""


class LeanDocument(TextDocument):
    """A document whose incremental edits are applied by UTF-16 positions in lines that `\\n` ends."""

    def apply_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        if isinstance(change, types.TextDocumentContentChangePartial):
            text = self.source
            start, end = offset_at(text, change.range.start), offset_at(text, change.range.end)
            self._source = text[:start] + change.text + text[end:]
        else:
            self._source = change.text


class Documents(Workspace):
    """The documents that the client has open, and its folders."""

    def _create_text_document(
        self, doc_uri: str, source: str | None = None, version: int | None = None, language_id: str | None = None
    ) -> TextDocument:
        return LeanDocument(doc_uri, source=source, version=version, language_id=language_id)

    def snapshot(self, uri: str) -> Document:
        """The document as it is now, as a value.

        Raises:
            RequestError: It is not open, or is no Lean file.
        """
        document = self.text_documents.get(unquote(uri))
        if document is None:
            raise RequestError(f"The file {uri} is not open in the editor.", hint="Open it first.")
        if document.language_id not in LANGUAGES:
            raise RequestError(
                f"The file {uri} has the language id {document.language_id!r}.",
                hint=f"llmstep answers for {' and '.join(LANGUAGES)}.",
            )
        return Document(uri, document.version, document.source)

    def find(self, uri: str) -> Document | None:
        """The document as it is now; None when it is not open or is no Lean file."""
        try:
            return self.snapshot(uri)
        except RequestError:
            return None
