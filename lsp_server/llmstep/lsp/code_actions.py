"""The lightbulb: the steps known for the goal, one action that asks for (more of) them, and one for a whole proof.

Answers from memory: an editor drops a provider that takes two seconds, and a model takes longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types

from llmstep.memory import sites_at
from llmstep.printable import printable
from llmstep.types import Suggestion, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.lsp.server import LlmstepServer
    from llmstep.memory import Document, SuggestionSet

SUGGEST = "llmstep.suggest"
PROVE = "llmstep.prove"
CLOSES_MARK = "✓"

OPTIONS = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix], resolve_provider=False)


def code_actions(ls: LlmstepServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """`textDocument/codeAction`: nothing where there is no goal."""
    document = ls.documents.find(params.text_document.uri)
    if document is None or not _wanted(params.context.only):
        return []
    diagnostics = params.context.diagnostics
    position, sites = sites_at(document.text, params.range, diagnostics)
    if not sites:
        return []
    ls.idle.touch(document, position)
    known = ls.memory.known(document, params.range, diagnostics)
    actions = [_insert(ls, document, known, each) for each in known.suggestions] if known else []
    if actions:
        actions[0].is_preferred = True
    ask = _ask(document, position, diagnostics, more=bool(actions))
    return [*actions, ask, _prove(document, position, diagnostics)]


def _wanted(only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Whether quick fixes are asked for: `quickfix` itself, or everything."""
    return only is None or any(kind in ("", types.CodeActionKind.QuickFix) for kind in only)


def _insert(ls: LlmstepServer, document: Document, known: SuggestionSet, suggestion: Suggestion) -> types.CodeAction:
    edit = known.site.edit(document.text, suggestion.text)
    return types.CodeAction(
        title=title(suggestion),
        kind=types.CodeActionKind.QuickFix,
        edit=workspace_edit(ls, document, edit),
        data={
            "verdict": suggestion.check.verdict.value,
            "remainingGoals": list(suggestion.check.goals),
            "score": suggestion.candidate.score,
        },
    )


def _ask(
    document: Document, position: types.Position, diagnostics: Sequence[types.Diagnostic], *, more: bool
) -> types.CodeAction:
    label = "llmstep: more suggestions" if more else "llmstep: suggest the next step"
    argument = _place(document, position, diagnostics) | ({"more": True} if more else {})
    return _start(label, SUGGEST, argument)


def _prove(document: Document, position: types.Position, diagnostics: Sequence[types.Diagnostic]) -> types.CodeAction:
    return _start("llmstep: complete the proof", PROVE, _place(document, position, diagnostics))


def _start(label: str, command: str, argument: dict[str, Any]) -> types.CodeAction:
    return types.CodeAction(
        title=label,
        kind=types.CodeActionKind.QuickFix,
        command=types.Command(title=label, command=command, arguments=[argument]),
    )


def _place(document: Document, position: types.Position, diagnostics: Sequence[types.Diagnostic]) -> dict[str, Any]:
    """What a command works on, as its argument."""
    argument: dict[str, Any] = {"textDocument": {"uri": document.uri}, "position": position}
    if diagnostics:  # they say which goal is meant, where the text does not
        argument["diagnostics"] = [{"range": each.range, "message": each.message} for each in diagnostics]
    return argument


def title(suggestion: Suggestion) -> str:
    """The tactic, its first line if it has several, with a mark if it closes the goal."""
    first, *rest = suggestion.text.splitlines() or [""]
    mark = f" {CLOSES_MARK}" if suggestion.check.verdict is Verdict.CLOSES else ""
    return printable(f"{first}{' …' if rest else ''}{mark}")


def workspace_edit(ls: LlmstepServer, document: Document, edit: types.TextEdit) -> types.WorkspaceEdit:
    """The edit, tied to the document's version where the client can check that."""
    workspace = ls.client_capabilities.workspace
    if workspace and workspace.workspace_edit and workspace.workspace_edit.document_changes:
        versioned = types.OptionalVersionedTextDocumentIdentifier(uri=document.uri, version=document.version)
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(versioned, [edit])])
    return types.WorkspaceEdit(changes={document.uri: [edit]})
