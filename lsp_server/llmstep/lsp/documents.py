"""Open documents, with Lean's idea of a line.

pygls splits lines where Python does (form feeds, U+2028, ...). Editors and Lean do not, and one such character in a
comment would put every later edit at a wrong place; so the edits are applied here, on lines that `\\n` ends. An edit is
worked out in the thread that reads it (`Documents.edit`) and takes effect in the event loop (`Documents.take`), so that
a long document delays nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from urllib.parse import unquote

import attrs
from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

from llmstep.errors import RequestError
from llmstep.lean.text import utf16_length
from llmstep.memory import Document, Edit

LANGUAGES = ("lean4", "lean")
"""Language ids of Lean 4 files: VS Code and Neovim say `lean4`, Emacs says `lean`."""

_PAIR = re.compile(r"[\U00010000-\U0010ffff]")
_CHUNK = 1 << 20
"""A regular expression does not let other threads run; so many characters take it few milliseconds."""

_log = logging.getLogger(__name__)


@attrs.frozen
class NewText:
    """A document's text after the changes of one message."""

    uri: str
    version: int
    lines: list[str]
    edit: Edit
    at: types.Position | None
    """Where the last change ended; None when the whole text was replaced."""


class LeanDocument(TextDocument):
    """A document as lines that `\\n` ends; positions count UTF-16 units."""

    def __init__(self, uri: str, source: str, version: int | None, language_id: str | None) -> None:
        try:
            super().__init__(uri, source=source, version=version, language_id=language_id)
        except ValueError:  # an address that cannot be taken apart is a name like any other
            super().__init__("", source=source, version=version, language_id=language_id)
            self.uri = uri
        self._lines: list[str] | None = None

    def after(self, changes: Sequence[types.TextDocumentContentChangeEvent]) -> tuple[list[str], types.Position | None]:
        """The lines after some changes, and where the last of them ended."""
        if self._lines is None:
            self._lines = self.source.split("\n")
        lines, at = list(self._lines), None
        for change in changes:
            if isinstance(change, types.TextDocumentContentChangePartial):
                at = _replace(lines, change.range, change.text)
            else:
                lines, at = change.text.split("\n"), None
        return lines, at

    def take(self, new: NewText) -> None:
        self._lines, self._source, self.version = new.lines, new.edit.after, new.version


def _replace(lines: list[str], where: types.Range, text: str) -> types.Position:
    """Replace a range, one that is the wrong way round as well; the end of what is new there."""
    (first, start), (last, end) = sorted((_place(lines, where.start), _place(lines, where.end)))
    middle = text.split("\n")
    *_, tail = middle
    at = types.Position(
        first + len(middle) - 1, utf16_length(tail) + (utf16_length(lines[first][:start]) if len(middle) == 1 else 0)
    )
    behind = lines[last][end:]
    middle[0] = lines[first][:start] + middle[0]
    middle[-1] += behind
    lines[first : last + 1] = middle
    return at


def _place(lines: Sequence[str], position: types.Position) -> tuple[int, int]:
    """Index of the line and of the character; what is behind an end is taken as that end."""
    if position.line >= len(lines):
        return len(lines) - 1, len(lines[-1])
    line = lines[position.line]
    index = _index(line, position.character)
    is_last = position.line == len(lines) - 1
    return position.line, index - 1 if index == len(line) and line.endswith("\r") and not is_last else index


def _index(line: str, units: int) -> int:
    """Index of the character that begins at, or else holds, a place counted in UTF-16 units."""
    if line.isascii():
        return min(units, len(line))
    pairs = 0
    for begin in range(0, min(units, len(line)), _CHUNK):
        for pair in _PAIR.finditer(line, begin, begin + _CHUNK):
            if pair.start() + pairs + 2 > units:
                return min(units - pairs, pair.start())
            pairs += 1
    return min(units - pairs, len(line))


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
        lines, at = document.after(params.content_changes)
        edit = Edit.between(document.source, "\n".join(lines))
        return NewText(params.text_document.uri, params.text_document.version, lines, edit, at)

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
