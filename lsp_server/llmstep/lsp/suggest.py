"""The command `llmstep.suggest`: the whole work for one goal, with progress, cancellable."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.errors import LlmstepError, RequestError
from llmstep.lsp import inlay_hints
from llmstep.lsp.client_checks import ClientChecks
from llmstep.lsp.goals import ClientGoals
from llmstep.lsp.progress import WorkDone
from llmstep.lsp.runs import STOPPED
from llmstep.memory import sites_at
from llmstep.printable import printable

if TYPE_CHECKING:
    from llmstep.assistant import OnProgress
    from llmstep.lsp.server import LlmstepServer
    from llmstep.memory import Document, SuggestionSet

_MOST_SAMPLES = 256

_log = logging.getLogger(__name__)


@attrs.frozen
class SuggestArguments:
    """The command's argument: `{textDocument: {uri}, position, prefix?, count?, more?, diagnostics?}`."""

    uri: str
    position: types.Position
    prefix: str | None = None
    count: int | None = None
    more: bool = False
    diagnostics: tuple[types.Diagnostic, ...] = ()

    @classmethod
    def decode(cls, arguments: Sequence[Any] | None) -> SuggestArguments:
        """
        Raises:
            RequestError: Something is missing, or has a wrong type or value.
        """
        raw = arguments[0] if arguments else None
        try:
            assert isinstance(raw, Mapping)
            made = cls(
                str(raw["textDocument"]["uri"]),
                read_position(raw["position"]),
                raw.get("prefix"),
                raw.get("count"),
                bool(raw.get("more", False)),
                tuple(read_diagnostic(each) for each in raw.get("diagnostics", ())),
            )
        except (AssertionError, KeyError, TypeError, ValueError):
            raise RequestError(
                "llmstep.suggest was called without a document and a position.",
                hint="Its argument is {textDocument: {uri}, position: {line, character}, prefix?, count?, more?}.",
            ) from None
        if not isinstance(made.prefix, str | None):
            raise RequestError(f"The prefix is {made.prefix!r}.", hint="It must be a text.")
        if made.count is not None and (type(made.count) is not int or not 1 <= made.count <= _MOST_SAMPLES):
            raise RequestError(f"The count is {made.count!r}.", hint=f"It must be a number from 1 to {_MOST_SAMPLES}.")
        return made


def read_position(raw: Any) -> types.Position:
    """A position of a command's argument; KeyError, TypeError or ValueError where it is none."""
    line, character = int(raw["line"]), int(raw["character"])
    if line < 0 or character < 0:
        raise ValueError("lines and characters are counted from 0")
    return types.Position(line, character)


def read_diagnostic(raw: Any) -> types.Diagnostic:
    """A diagnostic of a command's argument, as far as sites need it; raises like `read_position`."""
    place = types.Range(read_position(raw["range"]["start"]), read_position(raw["range"]["end"]))
    return types.Diagnostic(place, str(raw["message"]))


async def suggest(ls: LlmstepServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """Suggest steps at a position.

    Returns:
        `{goal, model, elapsedMs, summary, suggestions: [{text, score, verdict, source, remainingGoals, edit}]}`, best
        first.

    Raises:
        RequestError: The argument is malformed, or the document is not open.
        NoGoalError: There is no goal.
        LlmstepError: The work failed; the user has been told.
        JsonRpcException: An edit, another request or the user ended the work.
    """
    wanted = SuggestArguments.decode(params.arguments)
    document = ls.documents.snapshot(wanted.uri)
    progress: WorkDone | None = None
    outcome = "Stopped"
    try:
        _, sites = sites_at(document.text, wanted.position, wanted.diagnostics)
        with ls.runs.begin(document, sites) as run:
            progress = await WorkDone.begin(ls, params.work_done_token, "llmstep", lambda: run.cancel(STOPPED))
            found = await _work(ls, document, wanted, progress.report)
            outcome = found.summary()
            if found.failure is not None:
                ls.show_error(found.failure)
            _log.debug("%s, line %d: %s", document.uri, wanted.position.line + 1, outcome)
    except LlmstepError as error:
        outcome = error.message
        ls.show_error(error)
        raise
    finally:
        if progress is not None:
            progress.end(outcome)
    return answer(document, found)


async def suggest_quietly(ls: LlmstepServer, document: Document, position: types.Position) -> None:
    """The same unasked: no progress, and what goes wrong is only logged."""
    try:
        _, sites = sites_at(document.text, position)
        with ls.runs.begin(document, sites):
            await _work(ls, document, SuggestArguments(document.uri, position), lambda _: None)
    except (LlmstepError, JsonRpcException) as error:
        _log.debug("no suggestions when idle: %s", error)


async def _work(ls: LlmstepServer, document: Document, wanted: SuggestArguments, report: OnProgress) -> SuggestionSet:
    best: object = None

    def on_update(found: SuggestionSet) -> None:
        nonlocal best
        if found.best != best:
            best = found.best
            inlay_hints.refresh(ls)

    def on_progress(progress: Any) -> None:
        report(progress)
        ls.status.step(progress)

    assistant = await ls.ready()
    try:
        return await assistant.suggest(
            document,
            wanted.position,
            prefix=wanted.prefix,
            count=wanted.count,
            more=wanted.more,
            diagnostics=wanted.diagnostics,
            goals=ClientGoals(ls) if ls.settings.goal_provider == "client" else None,
            checks=ClientChecks(ls) if ls.settings.check_provider == "client" else None,
            on_progress=on_progress,
            on_update=on_update,
        )
    finally:
        ls.status.step(None)
        inlay_hints.refresh(ls)


def answer(document: Document, found: SuggestionSet) -> dict[str, Any]:
    """The set as the command's result."""
    return {
        "goal": found.goal.state,
        "model": found.model,
        "elapsedMs": found.elapsed_ms,
        "summary": printable(found.summary()),
        "suggestions": [
            {
                "text": each.text,
                "score": each.candidate.score,
                "verdict": each.check.verdict.value,
                "source": each.candidate.source,
                "remainingGoals": list(each.check.goals),
                "edit": found.site.edit(document.text, each.text),
            }
            for each in found.suggestions
        ],
    }
