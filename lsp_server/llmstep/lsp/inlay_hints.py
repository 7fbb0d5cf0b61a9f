"""The best known step, shown at its goal; accepting it inserts it.

Sparse: one hint a goal, and none where Lean refused everything. The edits are sent with the hint, because editors lose
those that are given at resolve only.
"""

from __future__ import annotations

import re

from lsprotocol import types

from llmstep.lean.text import position_at
from llmstep.lsp.code_actions import label
from llmstep.lsp.inline_completion import shown_as_ghost
from llmstep.lsp.known import insert_link, shows_known
from llmstep.lsp.session import Session
from llmstep.memory import Document, SuggestionSet
from llmstep.printable import printable
from llmstep.types import Suggestion

_MAX_LABEL = 60
_MAX_OTHERS = 9


async def inlay_hints(ls: Session, params: types.InlayHintParams) -> list[types.InlayHint]:
    """`textDocument/inlayHint`: those in the range that is asked for."""
    document = ls.documents.find(params.text_document.uri)
    if document is None or not ls.settings.inlay_hints.enabled:
        return []
    sets = [known for known in ls.memory.sets(document.uri) if not shown_as_ghost(ls, known)]
    if not sets:
        return []
    inserts = ls.settings.inlay_hints.insert_on_double_click
    hints = await ls.places.read(document, lambda: [_hint(ls, document, known, inserts) for known in sets])
    return [hint for hint in hints if hint and params.range.start <= hint.position <= params.range.end]


def _hint(ls: Session, document: Document, known: SuggestionSet, inserts: bool) -> types.InlayHint | None:
    shown = known.shown
    if shown is None:
        return None
    edit = known.point.edit(document.text, shown.text)
    return types.InlayHint(
        position=position_at(document.text, known.point.end),
        label=_shortened(label(shown)),
        text_edits=[edit] if inserts else None,
        tooltip=types.MarkupContent(types.MarkupKind.Markdown, _tooltip(ls, document, known, shown)),
        padding_left=True,
        padding_right=True,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_LABEL else text[: _MAX_LABEL - 2].rstrip() + " …"


def _tooltip(ls: Session, document: Document, known: SuggestionSet, shown: Suggestion) -> str:
    """The step in full, what it leaves, and the others with their verdicts, as links where the client can insert."""
    others = [each for each in known.suggestions if each is not shown]
    place = position_at(document.text, known.point.start)

    def name(other: Suggestion) -> str:
        code = _code(label(other))
        return f"[{code}]({insert_link(document.uri, place, other.text)})" if shows_known(ls) else code

    parts = [f"```lean\n{shown.text}\n```", shown.check.words + _source_words(shown)]
    if shown.check.goals:
        parts.append("```lean\n" + "\n\n".join(shown.check.goals) + "\n```")
    if others:
        lines = [f"- {name(each)}: {each.check.words}" for each in others[:_MAX_OTHERS]]
        parts.append("Others:\n\n" + "\n".join(lines))
    parts.append(f"{known.summary()} ({known.model})")
    return printable("\n\n".join(parts))


def _source_words(shown: Suggestion) -> str:
    if shown.candidate.repaired_from:
        return f"; a name repaired: the model wrote {_code(' '.join(shown.candidate.repaired_from.split()))}"
    return "; one of Lean's own tactics" if shown.candidate.source == "lean" else ""


def _code(text: str) -> str:
    """Inline code, also of a text with backticks: the fence is longer than any row of them."""
    max_length = max((len(row) for row in re.findall("`+", text)), default=0)
    fence, pad = "`" * (max_length + 1), " " if max_length else ""
    return f"{fence}{pad}{text}{pad}{fence}"
