"""Documents of the tests' editor: positions and edits as a client has them, and what it asks about a document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol import types
from pygls.protocol import LanguageServerProtocol

if TYPE_CHECKING:
    from lsp.client import Editor


def offset(text: str, position: types.Position) -> int:
    """Offset of a UTF-16 position, computed here in another way than in the package."""
    lines = re.split(r"(?<=\n)", text)
    line = lines[position.line].encode("utf-16-le")[: 2 * position.character].decode("utf-16-le")
    return sum(map(len, lines[: position.line])) + len(line)


def position(text: str, index: int) -> types.Position:
    """UTF-16 position of an offset."""
    before = text[:index].split("\n")
    return types.Position(len(before) - 1, len(before[-1].encode("utf-16-le")) // 2)


def apply(text: str, edits: list[types.TextEdit]) -> str:
    """The text after non-overlapping edits."""
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
        text = text[: offset(text, edit.range.start)] + edit.new_text + text[offset(text, edit.range.end) :]
    return text


@attrs.define
class CodeActionsAnswer:
    """The answer to a request for code actions; lsprotocol takes an action with a command for a bare command."""

    id: int | str
    jsonrpc: str
    result: list[types.CodeAction] | None = None


class Protocol(LanguageServerProtocol):
    """pygls' protocol with that answer."""

    def get_result_type(self, method: str) -> type[Any] | None:
        if method == types.TEXT_DOCUMENT_CODE_ACTION:
            return CodeActionsAnswer
        return super().get_result_type(method)


class Page:
    """A document that is open in the editor."""

    def __init__(self, editor: Editor, uri: str, text: str) -> None:
        self.editor = editor
        self.uri = uri
        self.text = text
        self.version = 1

    @property
    def id(self) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri)

    def at(self, mark: str, shift: int = 0) -> types.Position:
        """Position of the first occurrence of `mark`, moved by characters."""
        return position(self.text, self.text.index(mark) + shift)

    def replace(self, old: str, new: str) -> None:
        """Edit the first occurrence of `old`, as one incremental change."""
        start = self.text.index(old)
        self.edit(types.Range(position(self.text, start), position(self.text, start + len(old))), new)

    def edit(self, where: types.Range, new: str) -> None:
        self.text = apply(self.text, [types.TextEdit(where, new)])
        self._changed(types.TextDocumentContentChangePartial(range=where, text=new))

    def set(self, text: str) -> None:
        """Replace the whole text, as one full change."""
        self.text = text
        self._changed(types.TextDocumentContentChangeWholeDocument(text=text))

    def _changed(self, change: types.TextDocumentContentChangeEvent) -> None:
        self.version += 1
        self.editor.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version=self.version, uri=self.uri), [change]
            )
        )

    def accept(self, action: types.CodeAction) -> str:
        """The text after the action's edit, which must be for this document at this version."""
        assert action.edit is not None
        assert action.edit.document_changes is not None
        [change] = action.edit.document_changes
        assert isinstance(change, types.TextDocumentEdit)
        assert change.text_document.uri == self.uri
        assert change.text_document.version == self.version
        return apply(self.text, list(change.edits))

    async def actions(
        self,
        where: types.Position | types.Range,
        *,
        only: list[str] | None = None,
        diagnostics: list[types.Diagnostic] | None = None,
    ) -> list[types.CodeAction]:
        """The code actions at a place."""
        place = where if isinstance(where, types.Range) else types.Range(where, where)
        context = types.CodeActionContext(diagnostics or [], only=only)
        params = types.CodeActionParams(self.id, place, context)
        answer = await self.editor.client.text_document_code_action_async(params)
        return list(answer or [])

    async def steps(self, where: types.Position) -> list[types.CodeAction]:
        """The code actions that insert a step, the best first."""
        return [each for each in await self.actions(where) if each.edit]

    async def started(self, where: types.Position, title: str) -> types.Command:
        """What the code action of this title runs."""
        [command] = [each.command for each in await self.actions(where) if each.title == title]
        assert command
        return command

    async def hints(self, start: int = 0, end: int = 10_000) -> list[types.InlayHint]:
        """The inlay hints in the lines from `start` up to `end`, exclusive."""
        place = types.Range(types.Position(start, 0), types.Position(end, 0))
        return list(
            await self.editor.client.text_document_inlay_hint_async(types.InlayHintParams(self.id, place)) or []
        )

    async def suggest(self, where: types.Position, *, token: str | None = None, **more: Any) -> Any:
        """Run `llmstep.suggest`; the result as plain objects."""
        argument = {"textDocument": {"uri": self.uri}, "position": where, **more}
        return await self.editor.execute("llmstep.suggest", argument, token=token)

    def close(self) -> None:
        self.editor.client.text_document_did_close(types.DidCloseTextDocumentParams(self.id))
