"""Whole proofs: the commands `llmstep.prove` and `llmstep.fillSorries`.

What is found is returned, and remembered like a suggestion, so that the lightbulb and the inlay hint offer it too.
Where the work fails, the user has seen why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from lsprotocol import types

from llmstep.aside import aside
from llmstep.lean.text import range_at
from llmstep.lsp.known import notify
from llmstep.lsp.progress import running
from llmstep.lsp.session import Session
from llmstep.memory import Document
from llmstep.settings import Settings
from llmstep.wire.commands import FillParams, ProveParams
from llmstep.wire.steps import FillAnswer, PartialProof, ProveAnswer, Proved, Proving, Unproved

if TYPE_CHECKING:
    from llmstep.search.attempt import Attempt, Plan


def _plan(settings: Settings, wanted: FillParams) -> Plan:
    """How to look for a proof, by the arguments and, where they do not say, the settings."""
    from llmstep.search.attempt import Plan

    names = ("strategy", "tactics", "expansions", "seconds", "samples", "seed", "rounds", "tokens")
    return Plan.of(settings, **{name: getattr(wanted, name) for name in names})


async def prove(ls: Session, wanted: ProveParams, token: types.ProgressToken | None) -> ProveAnswer:
    """Search for a whole proof of the goal at a position."""
    document = ls.documents.snapshot(wanted.text_document.uri)
    async with running(ls, document, token) as (run, progress):
        points = (await ls.places.at(document, wanted.position, wanted.diagnostics, latest=False)).points
        run.works_at(points)
        app = await ls.ready()
        found = await app.prove(document, points, _plan(ls.settings, wanted), progress.show)
        progress.outcome = found.in_words()
    await _remember(ls, document, found)
    known = {each.name: getattr(found, each.name) for each in attrs.fields(Proving)}
    return ProveAnswer(**known, edit=found.edit, partial=_partial(found))


def _partial(found: Attempt) -> PartialProof | None:
    partial = found.partial
    return None if partial is None else PartialProof(proof=partial.proof, edit=partial.edit, goals=partial.goals)


async def fill_sorries(ls: Session, wanted: FillParams, token: types.ProgressToken | None) -> FillAnswer:
    """Search for a proof of each `sorry` of a file."""
    from llmstep.search.sorries import find_sorries

    document = ls.documents.snapshot(wanted.text_document.uri)
    async with running(ls, document, token) as (run, progress):
        run.works_at([each.point for each in await aside(find_sorries, document.text)])
        app = await ls.ready()
        results = await app.fill(document, _plan(ls.settings, wanted), progress.show)
        progress.outcome = f"{sum(not each.reason for each in results)} of {len(results)} proved"
    proved: list[Proved] = []
    failed: list[Unproved] = []
    for each in results:
        where = await aside(range_at, document.text, each.sorry.start, each.sorry.end)
        made = each.attempt
        if each.reason or made is None or made.edit is None or made.proof is None:
            failed.append(Unproved(range=where, reason=each.reason, partial=_partial(made) if made else None))
        else:
            proved.append(Proved(range=where, edit=made.edit, proof=made.proof))
            await _remember(ls, document, made)
    return FillAnswer(proved=tuple(proved), failed=tuple(failed))


async def _remember(ls: Session, document: Document, found: Attempt) -> None:
    """Offer a proof like a suggestion, the first of its goal, unless the goal has changed meanwhile."""
    app = await ls.ready()
    if await app.remember(document, ls.documents.find(document.uri), found):
        notify(ls, document.uri)
        ls.refresh_hints()
