"""Which suggestion of a goal is shown as the hint, and its acceptance: `llmstep.choose` and `llmstep.accept`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.errors import RequestError
from llmstep.lsp import inlay_hints
from llmstep.lsp.suggest import read_diagnostic, read_position

if TYPE_CHECKING:
    from lsprotocol import types

    from llmstep.lsp.server import LlmstepServer
    from llmstep.memory import Document, SuggestionSet

CHOOSE = "llmstep.choose"
ACCEPT = "llmstep.accept"


@attrs.frozen
class ChooseArguments:
    """`{textDocument: {uri}, position, diagnostics?, step?}`."""

    uri: str
    position: types.Position
    diagnostics: tuple[types.Diagnostic, ...]
    step: int

    @classmethod
    def decode(cls, arguments: Sequence[Any] | None) -> ChooseArguments:
        """
        Raises:
            RequestError: Something is missing, or has a wrong type.
        """
        raw = arguments[0] if arguments else None
        try:
            assert isinstance(raw, Mapping)
            step = raw.get("step", 0)
            assert type(step) is int
            return cls(
                str(raw["textDocument"]["uri"]),
                read_position(raw["position"]),
                tuple(read_diagnostic(each) for each in raw.get("diagnostics", ())),
                step,
            )
        except (AssertionError, KeyError, TypeError, ValueError):
            raise RequestError(
                "The command was called without a document and a position.",
                hint="Its argument is {textDocument: {uri}, position: {line, character}, step?}.",
            ) from None


def choose(ls: LlmstepServer, params: types.ExecuteCommandParams) -> dict[str, Any] | None:
    """Show another suggestion of the goal at a position: `step` is 1 for the next, -1 for the one before.

    Returns:
        The one that is shown now, as `accept` returns it; None where nothing is known.
    """
    wanted = ChooseArguments.decode(params.arguments)
    document = ls.documents.snapshot(wanted.uri)
    known = ls.memory.known(document, wanted.position, wanted.diagnostics)
    if known is None or not known.suggestions:
        return None
    index = (_index(known) + wanted.step) % len(known.suggestions)
    known = attrs.evolve(known, chosen=known.suggestions[index].text)
    ls.memory.remember(known)
    inlay_hints.refresh(ls)
    return _answer(document, known)


def accept(ls: LlmstepServer, params: types.ExecuteCommandParams) -> dict[str, Any] | None:
    """The suggestion that the hint shows at a position, for the client to insert.

    Returns:
        `{text, edit, verdict, index, count}`, where `index` counts from 0; None where nothing is known.
    """
    wanted = ChooseArguments.decode(params.arguments)
    document = ls.documents.snapshot(wanted.uri)
    known = ls.memory.known(document, wanted.position, wanted.diagnostics)
    return None if known is None or not known.suggestions else _answer(document, known)


def _answer(document: Document, known: SuggestionSet) -> dict[str, Any]:
    shown = known.suggestions[_index(known)]
    return {
        "text": shown.text,
        "edit": known.site.edit(document.text, shown.text),
        "verdict": shown.check.verdict.value,
        "index": _index(known),
        "count": len(known.suggestions),
    }


def _index(known: SuggestionSet) -> int:
    texts = [each.text for each in known.suggestions]
    return texts.index(known.chosen) if known.chosen in texts else 0
