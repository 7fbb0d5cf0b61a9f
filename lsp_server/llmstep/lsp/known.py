"""What is known for the goal at a place, for a client that shows it in a panel: `llmstep/known`, and word of changes.

A client with the experimental capability `llmstepKnown` learns from `llmstep/knownChanged` that it should ask again,
and its hints have links that run its command `llmstep.insert`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from llmstep.aside import aside
from llmstep.lsp.suggestion_record import record, refused
from llmstep.wire.records import to_editor
from llmstep.wire.steps import Known

if TYPE_CHECKING:
    from lsprotocol import types

    from llmstep.lsp.own_types import KnownParams
    from llmstep.lsp.session import Session

CHANGED = "llmstep/knownChanged"
CAPABILITY = "llmstepKnown"
INSERT = "llmstep.insert"


async def known(ls: Session, params: KnownParams) -> Any:
    """`llmstep/known`: from memory, so that it never waits.

    Returns:
        A `Known`; None where nothing is known for the goal at the position.
    """
    document = ls.documents.find(params.textDocument.uri)
    if document is None:
        return None
    if not ls.memory.has(document.uri):
        return None
    place = await ls.places.at(document, params.position, params.diagnostics, latest=False)
    found = ls.memory.first(document.uri, place.keys)
    if found is None:
        return None
    answer = await aside(record, document, found)
    shown = Known(
        **attrs.asdict(answer, recurse=False),
        version=document.version,
        goals=(found.goal.text, *found.goal.others),
        working=ls.runs.busy(document.uri),
        rejected_tactics=refused(found.refused_tactics),
    )
    return to_editor(shown)


def notify(ls: Session, uri: str) -> None:
    """Say that there is news for a document, to a client that wants to hear of it."""
    if shows_known(ls):
        ls.protocol.notify(CHANGED, {"textDocument": {"uri": uri}})


def shows_known(ls: Session) -> bool:
    """Whether the client has the capability; lsprotocol leaves this field as it came, or as an object."""
    experimental = ls.client_capabilities.experimental
    if isinstance(experimental, dict):
        return experimental.get(CAPABILITY) is True
    return getattr(experimental, CAPABILITY, False) is True


def insert_link(uri: str, position: types.Position, text: str) -> str:
    """The target of a Markdown link that has the client insert a known step."""
    place = {"line": position.line, "character": position.character}
    argument = {"textDocument": {"uri": uri}, "position": place, "text": text}
    return f"command:{INSERT}?{quote(json.dumps([argument]), safe='')}"
