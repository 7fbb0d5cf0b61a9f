"""The command `llmstep.suggest`: the whole work for one goal, with progress, cancellable."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.aside import aside
from llmstep.errors import LlmstepError
from llmstep.lsp import known, rejected
from llmstep.lsp.arguments import read
from llmstep.lsp.client_checks import ClientChecks
from llmstep.lsp.goals import ClientGoals
from llmstep.lsp.progress import WorkDone
from llmstep.lsp.runs import STOPPED
from llmstep.lsp.suggestion_record import record
from llmstep.progress import silent
from llmstep.wire.commands import SuggestParams
from llmstep.wire.records import to_editor

if TYPE_CHECKING:
    from llmstep.lsp.session import Session
    from llmstep.memory import Document, SuggestionSet
    from llmstep.progress import Progress, ProgressSink

_log = logging.getLogger(__name__)


async def suggest(ls: Session, params: types.ExecuteCommandParams) -> Any:
    """Suggest steps at a position.

    Returns:
        A `SuggestAnswer`.

    Raises:
        RequestError: The argument is malformed, or the document is not open.
        NoGoalError: There is no goal.
        LlmstepError: The work failed; the user has seen why.
        JsonRpcException: An edit, another request or the user ended the work.
    """
    wanted = read(SuggestParams, params)
    document = ls.documents.snapshot(wanted.text_document.uri)
    progress: WorkDone | None = None
    outcome = "Stopped"
    try:
        with ls.runs.begin(document.uri) as run:
            place = await ls.places.at(document, wanted.position, wanted.diagnostics, latest=False)
            run.works_at(place.points)
            progress = await WorkDone.begin(ls, params.work_done_token, "llmstep", lambda: run.cancel(STOPPED))
            found = await _work(ls, document, wanted, progress.show)
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
        known.notify(ls, document.uri)  # that the work is over
    ls.spawn(rejected.show(ls, found))
    return to_editor(await aside(record, document, found))


def suggest_at_rest(ls: Session, document: Document, position: types.Position) -> None:
    """Begin a suggestion where the user rests, unless it is known, or work goes on in the document."""
    now = ls.documents.find(document.uri)
    if now is not None and now.version == document.version and not ls.runs.busy(document.uri):
        ls.spawn(_look(ls, now, position))


async def _look(ls: Session, document: Document, position: types.Position) -> None:
    with contextlib.suppress(JsonRpcException):  # edited meanwhile
        place = await ls.places.at(document, position)
        if place.points and not ls.runs.busy(document.uri) and ls.memory.first(document.uri, place.keys) is None:
            await _suggest_quietly(ls, document, position)


async def _suggest_quietly(ls: Session, document: Document, position: types.Position) -> None:
    """The same unasked: no progress, and what goes wrong is only logged."""
    wanted = SuggestParams(text_document=types.TextDocumentIdentifier(document.uri), position=position)
    try:
        with ls.runs.begin(document.uri) as run:
            run.works_at((await ls.places.at(document, position, latest=False)).points)
            await _work(ls, document, wanted, silent)
    except (LlmstepError, JsonRpcException) as error:
        _log.debug("no suggestions when idle: %s", error)
    finally:
        known.notify(ls, document.uri)


async def _work(ls: Session, document: Document, wanted: SuggestParams, progress: ProgressSink) -> SuggestionSet:
    best: object = None

    def on_update(found: SuggestionSet) -> None:
        nonlocal best
        known.notify(ls, document.uri)
        if found.best != best:
            best = found.best
            ls.refresh_hints()

    def show(update: Progress) -> None:
        progress(update)
        ls.status.step(update)

    app = await ls.ready()
    try:
        return await app.suggest(
            document,
            wanted.position,
            prefix=wanted.prefix,
            count=wanted.count,
            more=wanted.more,
            diagnostics=wanted.diagnostics,
            goals=ClientGoals(ls) if ls.settings.goal_provider == "client" else None,
            checks=ClientChecks(ls) if ls.settings.check_provider == "client" else None,
            progress=show,
            on_update=on_update,
        )
    finally:
        ls.status.step(None)
        ls.refresh_hints()
