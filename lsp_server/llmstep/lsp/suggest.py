"""The command `llmstep.suggest`: the whole work for one goal, with progress, cancellable."""

from __future__ import annotations

import logging
from functools import partial

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.aside import aside
from llmstep.errors import LlmstepError
from llmstep.lsp.client_lean import client_checks, client_goal
from llmstep.lsp.known import notify, record, shows_known
from llmstep.lsp.messages import show_rejected
from llmstep.lsp.progress import WorkDone, running
from llmstep.lsp.runs import Run
from llmstep.lsp.session import Session
from llmstep.memory import Document, SuggestionSet
from llmstep.wire.commands import SuggestParams
from llmstep.wire.steps import SuggestAnswer

_log = logging.getLogger(__name__)


async def suggest(ls: Session, wanted: SuggestParams, token: types.ProgressToken | None) -> SuggestAnswer:
    """Suggest steps at a position; where the work fails, the user has seen why."""
    document = ls.documents.snapshot(wanted.text_document.uri)
    async with running(ls, document, token) as (run, progress):
        found = await _work(ls, document, wanted, run, progress)
        progress.outcome = found.summary()
        if found.failure is not None:
            ls.show_error(found.failure)
        _log.debug("%s, line %d: %s", document.uri, wanted.position.line + 1, progress.outcome)
    if not found.suggestions and not shows_known(ls):
        ls.spawn(show_rejected(ls, found))
    return await aside(record, document, found)


async def suggest_at_rest(ls: Session, document: Document, position: types.Position) -> None:
    """Suggest where the user rests, unless it is known, or work goes on in the document."""
    if ls.documents.find(document.uri) != document:  # edited as a whole, or closed
        return
    try:
        place = await ls.places.at(document, position)
        if not place.points or ls.runs.busy(document.uri) or ls.memory.first(document.uri, place.keys):
            return
        wanted = SuggestParams(text_document=types.TextDocumentIdentifier(document.uri), position=position)
        async with running(ls, document, None, quiet=True) as (run, progress):
            await _work(ls, document, wanted, run, progress)
    except (LlmstepError, JsonRpcException) as error:
        _log.debug("no suggestions when idle: %s", error)


async def _work(ls: Session, document: Document, wanted: SuggestParams, run: Run, progress: WorkDone) -> SuggestionSet:
    best: object = None

    def on_update(found: SuggestionSet) -> None:
        nonlocal best
        notify(ls, document.uri)
        if found.best != best:
            best = found.best
            ls.refresh_hints()

    run.works_at((await ls.places.at(document, wanted.position, wanted.diagnostics, latest=False)).points)
    app = await ls.ready()
    try:
        return await app.suggest(
            document,
            wanted.position,
            prefix=wanted.prefix,
            count=wanted.count,
            more=wanted.more,
            diagnostics=wanted.diagnostics,
            goals=partial(client_goal, ls) if ls.settings.goal_provider == "client" else None,
            checks=partial(client_checks, ls) if ls.settings.check_provider == "client" else None,
            progress=progress.show,
            on_update=on_update,
        )
    finally:
        ls.refresh_hints()
