"""The command `llmstep.downloadModel`: a model onto this machine, without using it yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmstep.aside import in_this_loop
from llmstep.cancel import CancelToken
from llmstep.errors import LlmstepError
from llmstep.lsp.arguments import read
from llmstep.lsp.progress import WorkDone
from llmstep.wire.commands import DownloadParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lsprotocol import types

    from llmstep.lsp.session import Session
    from llmstep.progress import ProgressSink

DOWNLOAD_MODEL = "llmstep.downloadModel"
SPANS: Mapping[str, tuple[int, int]] = {"download": (0, 100)}


async def download_model(ls: Session, params: types.ExecuteCommandParams) -> dict[str, str]:
    """Download what is missing of `{model}`, a catalog name or hub id, with progress.

    Returns:
        `{model, folder}`.

    Raises:
        RequestError: The argument is malformed.
        LlmstepError: The download failed; the user has seen why.
    """
    model = read(DownloadParams, params).model
    task = asyncio.current_task()
    assert task is not None
    progress = await WorkDone.begin(ls, params.work_done_token, f"llmstep: {model}", task.cancel, spans=SPANS)
    outcome = "Stopped"
    cancel = CancelToken()
    try:
        folder = await asyncio.to_thread(_fetch, model, in_this_loop(progress.show), cancel)
        outcome = f"{model} is on this machine"
        return {"model": model, "folder": folder}
    except LlmstepError as error:
        outcome = error.message
        ls.show_error(error)
        raise
    finally:
        cancel.request()
        progress.end(outcome)


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
