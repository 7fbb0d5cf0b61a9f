"""The lightbulb: the steps known for the goal, one action that asks for (more of) them, and one for a whole proof.

The code lenses start the same runs above each `sorry`; they are off unless the user wants them. Answers come from
memory: an editor drops a provider that takes two seconds, and a model takes longer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from lsprotocol import types

from llmstep.lean.insertion_points import InsertionPoint
from llmstep.lean.trial import gaps_in
from llmstep.lsp.inline_completion import cursor_at
from llmstep.lsp.session import Session
from llmstep.memory import Document
from llmstep.printable import counted, printable
from llmstep.types import Suggestion, Verdict

SUGGEST = "llmstep.suggest"
PROVE = "llmstep.prove"
CLOSES_MARK = "✓"

_ANSWER = re.compile(r"llmstep: \d+ suggestions?, \d+ distinct")
_ENTRY = re.compile(r"\n +\[apply\] ")
_AFTERWORD = re.compile(r" -- closes the goal|\n +Remaining goals:")
"""The message of the Lean package, `LLMstep/Tactic.lean`."""

BEHIND = "llmstep"
"""A kind of its own: VS Code shows it behind the quick fixes of all extensions."""

OPTIONS = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix], resolve_provider=False)
LENS_OPTIONS = types.CodeLensOptions(resolve_provider=False)


async def code_actions(ls: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """`textDocument/codeAction`: nothing where there is no goal."""
    document = ls.documents.find(params.text_document.uri)
    if document is None or not _wanted(params.context.only):
        return []
    diagnostics = params.context.diagnostics
    place = await ls.places.at(document, params.range, diagnostics)
    known = ls.memory.first(document.uri, place.keys)
    cursor_at(ls, known)
    if not place.points:
        return []
    position = place.position
    ls.touch(document, position)
    tactic = tactic_answer(diagnostics)
    actions: list[types.CodeAction] = []
    if known is not None:
        steps = [each for each in known.suggestions if _words(each.text) not in (tactic or ())]
        insert = partial(_insert, ls, document, known.point)
        actions = await ls.places.read(document, lambda: list(map(insert, steps)))
    if actions and tactic is None:
        actions[0].is_preferred = True
    here = _place(document, position, diagnostics)
    ask = (
        _start("llmstep: more suggestions", SUGGEST, here | {"more": True})
        if actions or tactic is not None
        else _start("llmstep: suggest the next step", SUGGEST, here)
    )
    found = [*actions, ask, _start("llmstep: complete the proof", PROVE, here)]
    if tactic is not None and params.context.only is None:
        for each in found:
            each.kind = BEHIND  # what Lean offers of the tactic's answer comes first
    return found


def tactic_answer(diagnostics: Sequence[types.Diagnostic]) -> set[str] | None:
    """The steps that the tactic `llmstep` offers itself, each with single blanks; None where it has not answered.

    Lean's own code actions insert them.
    """
    for each in diagnostics:
        if _ANSWER.match(str(each.message)):
            entries = _ENTRY.split(str(each.message))[1:]
            return {_words(_AFTERWORD.split(entry)[0]) for entry in entries}
    return None


def _words(text: str) -> str:
    return " ".join(text.split())


def _wanted(only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Whether quick fixes are asked for: `quickfix` itself, or everything."""
    return only is None or any(kind in ("", types.CodeActionKind.QuickFix) for kind in only)


def _insert(ls: Session, document: Document, point: InsertionPoint, suggestion: Suggestion) -> types.CodeAction:
    return types.CodeAction(
        title=title(suggestion),
        kind=types.CodeActionKind.QuickFix,
        edit=_workspace_edit(ls, document, point.edit(document.text, suggestion.text)),
        data={
            "verdict": suggestion.check.verdict.value,
            "remainingGoals": list(suggestion.check.goals),
            "score": suggestion.candidate.score,
        },
    )


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


def label(suggestion: Suggestion) -> str:
    """The tactic, its first line if it has several, with a mark if it closes the goal."""
    first, *rest = suggestion.text.splitlines() or [""]
    mark = f" {CLOSES_MARK}" if suggestion.check.verdict is Verdict.CLOSES else ""
    return printable(f"{first}{' …' if rest else ''}{mark}")


def title(suggestion: Suggestion) -> str:
    """The label, how many goals the step leaves if it leaves any, and whether a name in it was repaired."""
    count = len(suggestion.check.goals) if suggestion.check.verdict is Verdict.PROGRESS else 0
    if count and gaps_in(suggestion.text):  # a proof with `sorry` for what is left
        return f"{label(suggestion)} proves it except for {counted(count, 'goal')}"
    left = f" → {counted(count, 'goal')}" if count else ""
    return label(suggestion) + left + (" (name repaired)" if suggestion.candidate.repaired_from else "")


def _workspace_edit(ls: Session, document: Document, edit: types.TextEdit) -> types.WorkspaceEdit:
    """The edit, tied to the document's version where the client can check that."""
    workspace = ls.client_capabilities.workspace
    if workspace and workspace.workspace_edit and workspace.workspace_edit.document_changes:
        versioned = types.OptionalVersionedTextDocumentIdentifier(uri=document.uri, version=document.version)
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(versioned, [edit])])
    return types.WorkspaceEdit(changes={document.uri: [edit]})


async def code_lens(ls: Session, params: types.CodeLensParams) -> list[types.CodeLens]:
    """`textDocument/codeLens`: "suggest" and "prove" at each `sorry` that stands for a proof."""
    document = ls.documents.find(params.text_document.uri)
    if document is None or not ls.settings.code_lens:
        return []
    return await ls.places.read(document, lambda: _lenses(document))


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
