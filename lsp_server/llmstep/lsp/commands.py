"""The smaller commands: what runs, which models there are, another model, stop, another Lean server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs

from llmstep.errors import LlmstepError
from llmstep.lsp.progress import working
from llmstep.wire.commands import SelectModelParams, StatusAnswer, StopAnswer
from llmstep.wire.models import ModelEntry
from llmstep.wire.state import LeanProcessRow, LeanServer, Status

if TYPE_CHECKING:
    from lsprotocol import types

    from llmstep.lsp.session import Session


async def status(ls: Session, *_: object) -> StatusAnswer:
    """What runs, and where."""
    app = await ls.ready()
    servers = await asyncio.to_thread(app.lean.servers)
    lean = [
        LeanServer(
            root=str(server.root),
            command=server.command,
            processes=tuple(LeanProcessRow(**attrs.asdict(each)) for each in server.processes),
        )
        for server in servers
    ]
    return StatusAnswer(
        **attrs.asdict(ls.status.now()),
        version=ls.version,
        http=ls.endpoint.url if ls.endpoint else None,
        lean=tuple(lean),
    )


async def models(ls: Session, *_: object) -> list[ModelEntry]:
    """The catalog and the user's own."""
    selected = ls.settings.model
    if selected == "auto" and ls.app is not None:
        selected = ls.app.engine.status.model
    return await asyncio.to_thread(_models, selected)


def _models(active: str) -> list[ModelEntry]:
    from llmstep.catalog import store
    from llmstep.catalog.recommended import recommended
    from llmstep.catalog.registry import all_records, find_record
    from llmstep.engine.served.launches import this_machine

    chosen, best = find_record(active), recommended(this_machine())
    return [
        ModelEntry(
            name=record.name,
            repo_id=record.repo_id,
            family=record.family,
            template=record.template,
            parameters=store.parameters(record),
            size_bytes=store.size_bytes(record),
            cpu_bytes=record.needed_bytes("cpu"),
            gpu_bytes=record.needed_bytes("cuda"),
            licence=record.licence,
            score=record.score,
            score_source=record.score_source,
            trust_remote_code=record.trust_remote_code,
            summary=record.summary,
            bundled=record.bundled,
            cached=store.is_cached(record),
            active=record == chosen,
            recommended=record == best,
        )
        for record in all_records()
    ]


async def select_model(ls: Session, wanted: SelectModelParams, token: types.ProgressToken | None) -> Status:
    """Use another model: a catalog name, hub id or folder.

    With `load` it is downloaded and loaded now, with progress; when that fails, the old one stays.
    """
    from llmstep.catalog.gguf import choose_gguf, is_gguf
    from llmstep.catalog.resolve import resolve

    app = await ls.ready()
    before, model = ls.settings, wanted.model
    look = choose_gguf if is_gguf(model) else resolve
    try:
        spans = {"download": (0, 80), "load": (80, 100)}
        async with working(ls, token, f"llmstep: {model}", spans=spans) as progress:
            await asyncio.to_thread(look, attrs.evolve(before, model=model))
            ls.sync.override(model=model)
            if wanted.load:
                await app.engine.load(progress=progress.show)
            progress.outcome = ""
    except (LlmstepError, asyncio.CancelledError):
        ls.sync.override(model=before.model)
        raise
    ls.refresh_hints()
    return ls.status.now()


async def stop(ls: Session, *_: object) -> StopAnswer:
    """Stop all work that is running."""
    ls.idle.stop()
    return StopAnswer(stopped=ls.runs.stop())


async def restart_lean(ls: Session, *_: object) -> None:
    """Stop llmstep's own Lean servers; the next question starts new ones, which read rebuilt imports."""
    app = await ls.ready()
    ls.runs.stop()
    await app.lean.restart()
