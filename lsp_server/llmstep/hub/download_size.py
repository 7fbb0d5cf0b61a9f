"""How much a model still has to bring onto this machine, before it does."""

from __future__ import annotations

from llmstep.catalog.store import ADAPTER, CONFIG, adapter_base, is_path
from llmstep.hub import errors as hub_errors
from llmstep.hub.download import cached_folder, fetch_file
from llmstep.hub.files import needed_files
from llmstep.hub.listing import listed, missing_bytes


def download_bytes(repo_id: str, *, code: bool = False, file: str = "") -> int:
    """Bytes that a model still has to bring onto this machine, as the hub says; of an adapter, with its base.

    Args:
        code: As with `fetch`.
        file: One file of the repository, instead of what a model needs.

    Raises:
        LlmstepError: The hub cannot be asked, or has no such model.
    """
    try:
        _, sizes = listed(repo_id)
    except Exception as error:
        raise hub_errors.translate(error, repo_id) from error
    total = missing_bytes(repo_id, [file] if file else needed_files(sizes, code=code), sizes)
    if ADAPTER in sizes and CONFIG not in sizes:  # what it is for has to come as well
        base = adapter_base(fetch_file(repo_id, ADAPTER).parent)
        if base is not None and not is_path(base) and cached_folder(base) is None:
            total += download_bytes(base)
    return total
