"""The commands for models: which there are, another one, one more on this machine."""

from __future__ import annotations

import asyncio

import attrs
from lsprotocol import types

from llmstep.aside import in_this_loop
from llmstep.cancel import CancelToken
from llmstep.errors import LlmstepError
from llmstep.lsp.progress import working
from llmstep.lsp.session import Session
from llmstep.progress import ProgressSink
from llmstep.wire.commands import DownloadParams, SelectModelParams
from llmstep.wire.models import DownloadAnswer, ModelEntry
from llmstep.wire.state import Status


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

    chosen, best = find_record(active), recommended(this_machine()).record
    return [
        ModelEntry(
            **store.known_of(record),
            repo_id=record.repo_id,
            family=record.family,
            cpu_bytes=record.needed_bytes("cpu"),
            gpu_bytes=record.needed_bytes("cuda"),
            score=record.score,
            score_source=record.score_source,
            bundled=record.bundled,
            active=record == chosen,
            recommended=record == best,
        )
        for record in all_records()
    ]


async def select_model(ls: Session, wanted: SelectModelParams, token: types.ProgressToken | None) -> Status:
    """Use another model: a catalog name, hub id or folder.

    With `load` it is downloaded and loaded now, with progress; when that fails, the old one stays.
    """
    from llmstep.catalog.gguf import look_up

    app = await ls.ready()
    before, model = ls.settings, wanted.model
    try:
        spans = {"download": (0, 80), "load": (80, 100)}
        async with working(ls, token, f"llmstep: {model}", spans=spans) as progress:
            await asyncio.to_thread(look_up, attrs.evolve(before, model=model))
            ls.sync.override(model=model)
            if wanted.load:
                await app.engine.load(progress=progress.show)
            progress.outcome = ""
    except (LlmstepError, asyncio.CancelledError):
        ls.sync.override(model=before.model)
        raise
    ls.refresh_hints()
    return ls.status.of(app.engine.status)


async def download_model(ls: Session, wanted: DownloadParams, token: types.ProgressToken | None) -> DownloadAnswer:
    """Download what is missing of `{model}`, a catalog name or hub id, with progress.

    Raises:
        LlmstepError: The download failed; the user has seen why.
    """
    model, cancel = wanted.model, CancelToken()
    try:
        async with working(ls, token, f"llmstep: {model}", spans={"download": (0, 100)}) as progress:
            folder = await asyncio.to_thread(_fetch, model, in_this_loop(progress.show), cancel)
            progress.outcome = f"{model} is on this machine"
    finally:
        cancel.request()
    return DownloadAnswer(model=model, folder=folder)


def _fetch(model: str, progress: ProgressSink, cancel: CancelToken) -> str:
    from llmstep.catalog.resolve import source_of
    from llmstep.hub.download import fetch_with_base

    source, code = source_of(model)
    return str(fetch_with_base(source, progress=progress, cancel=cancel, code=code))
