"""The smaller commands: what runs, which models there are, another model, stop, another Lean server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.errors import LlmstepError
from llmstep.lsp.arguments import read
from llmstep.lsp.progress import WorkDone
from llmstep.wire.commands import SelectModelParams, StatusAnswer
from llmstep.wire.records import to_editor

if TYPE_CHECKING:
    from lsprotocol import types

    from llmstep.lsp.session import Session

STATUS = "llmstep.status"
MODELS = "llmstep.models"
SELECT_MODEL = "llmstep.selectModel"
STOP = "llmstep.stop"
RESTART_LEAN = "llmstep.restartLean"


async def status(ls: Session, _: types.ExecuteCommandParams) -> dict[str, Any]:
    """A `StatusAnswer`: what runs, and where."""
    from llmstep.wire.state import LeanProcessRow, LeanServer

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
    answer = StatusAnswer(
        **attrs.asdict(ls.status.now()),
        version=ls.version,
        http=ls.endpoint.url if ls.endpoint else None,
        lean=tuple(lean),
    )
    shown: dict[str, Any] = to_editor(answer)
    return shown


async def models(ls: Session, _: types.ExecuteCommandParams) -> list[dict[str, Any]]:
    """The catalog and the user's own, each a `ModelEntry`."""
    selected = ls.settings.model
    if selected == "auto" and ls.app is not None:
        selected = ls.app.engine.status.model
    return await asyncio.to_thread(_models, selected)


def _models(active: str) -> list[dict[str, Any]]:
    from llmstep.catalog import store
    from llmstep.catalog.recommended import recommended
    from llmstep.catalog.registry import all_records, find_record
    from llmstep.engine.machine import this_machine
    from llmstep.wire.models import ModelEntry

    chosen, best = find_record(active), recommended(this_machine())
    entries = [
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
    return [to_editor(entry) for entry in entries]


async def select_model(ls: Session, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """Use another model: `{model, load?}`, a catalog name, hub id or folder.

    With `load` it is downloaded and loaded now, with progress; when that fails, the old one stays.
    """
    wanted = read(SelectModelParams, params)
    await ls.ready()
    before = ls.settings
    try:
        await _switch(ls, params, wanted.model, load=wanted.load)
    except (LlmstepError, asyncio.CancelledError) as error:
        ls.sync.override(model=before.model)
        if isinstance(error, LlmstepError):
            ls.show_error(error)
        raise
    ls.refresh_hints()
    return ls.status.record()


async def _switch(ls: Session, params: types.ExecuteCommandParams, model: str, *, load: bool) -> None:
    from llmstep.catalog.gguf import choose_gguf, is_gguf
    from llmstep.catalog.resolve import resolve

    look = choose_gguf if is_gguf(model) else resolve
    await asyncio.to_thread(look, attrs.evolve(ls.settings, model=model))
    ls.sync.override(model=model)
    if not load or ls.app is None:
        return
    task = asyncio.current_task()
    assert task is not None
    spans = {"download": (0, 80), "load": (80, 100)}
    progress = await WorkDone.begin(ls, params.work_done_token, f"llmstep: {model}", task.cancel, spans)
    try:
        await ls.app.engine.load(progress=progress.show)
    finally:
        progress.end("")


def stop(ls: Session, _: types.ExecuteCommandParams) -> dict[str, int]:
    """End all work in flight: `{stopped}`, the number of runs."""
    ls.idle.stop()
    return {"stopped": ls.runs.stop()}


async def restart_lean(ls: Session, _: types.ExecuteCommandParams) -> None:
    """Stop llmstep's own Lean servers; the next question starts new ones, which read rebuilt imports."""
    app = await ls.ready()
    ls.runs.stop()
    await app.lean.restart()
