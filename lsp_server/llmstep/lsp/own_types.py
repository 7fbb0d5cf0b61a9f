"""What server and client ask each other beyond the protocol: goals and checks of the client's Lean, what is known."""

from __future__ import annotations

import attrs
from lsprotocol import types  # noqa: TC002 the converter needs it

PLAIN_GOAL = "llmstep/plainGoal"
CHECK_SUGGESTIONS = "llmstep/checkSuggestions"
STATUS = "llmstep/status"
KNOWN = "llmstep/known"


@attrs.define
class PlainGoal:
    """The open goals at a position, as Lean prints them; the same form as the answer of `$/lean/plainGoal`."""

    goals: list[str]
    rendered: str = ""


@attrs.define
class PlainGoalRequest:
    """Server to client: which goals are open here?"""

    # No defaults: lsprotocol's converter does not send them.
    id: int | str
    method: str
    params: types.TextDocumentPositionParams
    jsonrpc: str


@attrs.define
class PlainGoalResponse:
    """Its answer."""

    id: int | str
    jsonrpc: str
    result: PlainGoal | None = None


@attrs.define
class CheckParams:
    """What the client's Lean is to check: the form that `LLMstep.checkSuggestions` of the Lean package takes."""

    # lsprotocol's converter has no names of its own for these: they are the wire's.
    textDocument: types.TextDocumentIdentifier  # noqa: N815
    position: types.Position
    suggestions: list[str]
    maxHeartbeats: int  # noqa: N815


@attrs.define
class Checked:
    """A suggestion with the verdict of the client's Lean."""

    text: str
    verdict: str
    goals: list[str] = attrs.field(factory=list)
    message: str = ""


@attrs.define
class CheckedSuggestions:
    """The suggestions in the order asked."""

    checked: list[Checked]


@attrs.define
class CheckRequest:
    """Server to client: what does Lean say about these suggestions here?"""

    id: int | str
    method: str
    params: CheckParams
    jsonrpc: str


@attrs.define
class CheckResponse:
    """Its answer; null where the file does not import the package."""

    id: int | str
    jsonrpc: str
    result: CheckedSuggestions | None = None


@attrs.define
class KnownParams:
    """A place of a document; the diagnostics at it help to find the goal."""

    textDocument: types.TextDocumentIdentifier  # noqa: N815
    position: types.Position
    diagnostics: list[types.Diagnostic] = attrs.field(factory=list)


@attrs.define
class KnownRequest:
    """Client to server: what is known for the goal here?"""

    id: int | str
    method: str
    params: KnownParams
    jsonrpc: str
