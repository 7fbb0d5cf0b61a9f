"""The commands of the language server, with what they take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs
from lsprotocol.types import Diagnostic, Position, TextDocumentIdentifier

from llmstep.wire.bounds import Given, Prefix, Samples, items, number
from llmstep.wire.models import DownloadAnswer, ModelEntry
from llmstep.wire.state import LeanServer, Status
from llmstep.wire.steps import AnyVerdict, FillAnswer, Known, ProveAnswer, ShownSuggestion, SuggestAnswer

PLAIN_GOAL = "llmstep/plainGoal"
CHECK_SUGGESTIONS = "llmstep/checkSuggestions"
STATUS = "llmstep/status"
KNOWN = "llmstep/known"
KNOWN_CHANGED = "llmstep/knownChanged"
MESSAGE = "llmstep/message"

Diagnostics = Annotated[tuple[Diagnostic, ...], items(1000)]


@attrs.frozen(kw_only=True)
class Place:
    """A place of a document."""

    text_document: TextDocumentIdentifier
    position: Position


@attrs.frozen(kw_only=True)
class PlainGoal:
    """The open goals at a position, in the form of the answer of `$/lean/plainGoal`."""

    goals: tuple[str, ...]
    """As Lean prints them."""
    rendered: str = ""


@attrs.frozen(kw_only=True)
class CheckParams(Place):
    """What the client's Lean is to check: the form that `LLMstep.checkSuggestions` of the Lean package takes."""

    suggestions: tuple[str, ...]
    max_heartbeats: int


@attrs.frozen(kw_only=True)
class Checked:
    """A suggestion with the verdict of the client's Lean."""

    text: str
    verdict: AnyVerdict
    goals: tuple[str, ...] = ()
    message: str = ""


@attrs.frozen(kw_only=True)
class CheckedSuggestions:
    """The suggestions in the order asked."""

    checked: tuple[Checked, ...]


@attrs.frozen(kw_only=True)
class PlaceWithDiagnostics(Place):
    """A place of a document, and what the editor shows there."""

    diagnostics: Diagnostics = ()
    """Those at the position; they help to find the goal."""


@attrs.frozen(kw_only=True)
class SuggestParams(PlaceWithDiagnostics):
    """The argument of `llmstep.suggest`."""

    prefix: Prefix | None = None
    """What every suggestion starts with."""
    count: Samples | None = None
    """Number of samples, 1 to 256."""
    more: bool = False
    """Draw afresh and add to what is known."""


@attrs.frozen(kw_only=True)
class ChooseParams(PlaceWithDiagnostics):
    """The argument of `llmstep.choose` and `llmstep.accept`."""

    step: int = 0
    """1 for the next, -1 for the one before."""


@attrs.frozen(kw_only=True)
class FillParams:
    """The argument of `llmstep.fillSorries`."""

    text_document: TextDocumentIdentifier
    strategy: Literal["auto", "search", "write", "sketch"] | None = None
    """How a proof is looked for; null is the setting."""
    rounds: Annotated[int, number(0, 32)] | None = None
    """How often a written proof goes back to the model, 0 to 32."""
    tokens: Annotated[int, number(256, 1_000_000)] | None = None
    """Most tokens that the model writes, 256 to 1000000."""
    tactics: Literal["model", "list", "both"] = "both"
    expansions: Annotated[int, number(1, 10_000)] | None = None
    """Most states that are expanded, 1 to 10000."""
    seconds: Annotated[float, number(0.1, 86_400)] | None = None
    """Longest search, 0.1 to 86400."""
    samples: Samples | None = None
    """Samples of the model for each state, 1 to 256."""
    seed: Annotated[int, number(0, 2**32 - 1)] | None = None


@attrs.frozen(kw_only=True)
class ProveParams(FillParams):
    """The argument of `llmstep.prove`."""

    position: Position
    diagnostics: Diagnostics = ()


@attrs.frozen(kw_only=True)
class SelectModelParams:
    """The argument of `llmstep.selectModel`."""

    model: Given
    """Catalog name, hub id or folder."""
    load: bool = False
    """Download and load it now, with progress; where that fails, the one before stays."""


@attrs.frozen(kw_only=True)
class DownloadParams:
    """The argument of `llmstep.downloadModel`."""

    model: Given


@attrs.frozen(kw_only=True)
class DocumentParams:
    """The argument of `llmstep.buildImports`."""

    text_document: TextDocumentIdentifier


@attrs.frozen(kw_only=True)
class BuildAnswer:
    """The answer of `llmstep.buildImports`."""

    said: str
    """The last line that Lake printed."""


@attrs.frozen(kw_only=True)
class StopAnswer:
    """The answer of `llmstep.stop`."""

    stopped: int
    """Number of runs."""


@attrs.frozen(kw_only=True)
class StatusAnswer(Status):
    """The answer of `llmstep.status`."""

    version: str
    http: str | None
    """Where the tactic is answered."""
    lean: tuple[LeanServer, ...]
    """The Lean servers that llmstep runs."""


@attrs.frozen
class Message:
    """A command, or a request or notification of llmstep's own."""

    name: str
    about: str
    params: type | None = None
    result: Any = None


COMMANDS = (
    Message("llmstep.suggest", "Suggest steps for the goal at a position.", SuggestParams, SuggestAnswer),
    Message("llmstep.prove", "Look for a whole proof of the goal at a position.", ProveParams, ProveAnswer),
    Message("llmstep.fillSorries", "Look for a proof of each `sorry` of a file.", FillParams, FillAnswer),
    Message("llmstep.choose", "Have the hint show another suggestion.", ChooseParams, ShownSuggestion | None),
    Message("llmstep.accept", "The suggestion that the hint shows.", ChooseParams, ShownSuggestion | None),
    Message("llmstep.models", "The models that are known.", None, list[ModelEntry]),
    Message("llmstep.selectModel", "Use another model in this session.", SelectModelParams, Status),
    Message("llmstep.downloadModel", "Download a model.", DownloadParams, DownloadAnswer),
    Message("llmstep.status", "What runs, and where.", None, StatusAnswer),
    Message("llmstep.stop", "Stop all work that is running.", None, StopAnswer),
    Message("llmstep.buildImports", "Build the imports of a file with Lake.", DocumentParams, BuildAnswer),
    Message("llmstep.restartLean", "Stop llmstep's own Lean servers; the next question starts new ones.", None, None),
)
"""What `workspace/executeCommand` takes; each command has one argument, an object."""

MESSAGES = (Message(KNOWN, "What is known for the goal here; the client asks.", PlaceWithDiagnostics, Known | None),)
