"""The command `llmstep.downloadModel`: a model onto this machine, without using it yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmstep.aside import in_this_loop
from llmstep.cancel import CancelToken
from llmstep.lsp.progress import working
from llmstep.wire.commands import DownloadParams
from llmstep.wire.models import DownloadAnswer

if TYPE_CHECKING:
    from lsprotocol import types

    from llmstep.lsp.session import Session
    from llmstep.progress import ProgressSink


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
    from llmstep.catalog.registry import find_record
    from llmstep.catalog.store import cache_path
    from llmstep.hub.download import fetch

    record = find_record(model)
    if record is not None and record.bundled:
        return str(cache_path(record))
    source = record.repo_id if record is not None else model
    code = record is not None and record.trust_remote_code
    return str(fetch(source, progress=progress, cancel=cancel, code=code))
