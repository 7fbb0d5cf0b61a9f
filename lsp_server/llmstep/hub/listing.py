"""What the hub says of a repository: its files with their sizes, before anything is downloaded."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from huggingface_hub import HfApi, constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

from llmstep.hub import errors as hub_errors
from llmstep.hub.client import bounded_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def missing_bytes(repo_id: str, names: Iterable[str], sizes: Mapping[str, int]) -> int:
    """Bytes of the files that are not in the cache."""
    return sum(sizes.get(name, 0) for name in names if not isinstance(try_to_load_from_cache(repo_id, name), str))


def listed(repo_id: str) -> tuple[Any, dict[str, int]]:
    """What the hub says of the repository, and the sizes of its files; 0 where it does not say one.

    Raises:
        DownloadError: The answer is no list of files.
    """
    bounded_session()
    found = info(repo_id)
    sizes = {file.rfilename: 0 if file.size is None else file.size for file in found.siblings or []}
    if not isinstance(found.sha, str) or not all(map(_is_plain, sizes, sizes.values())):
        raise hub_errors.unreadable(repo_id)
    return found, sizes


def info(repo_id: str, revision: str | None = None) -> Any:
    """The hub's description of a repository."""
    try:
        return HfApi(endpoint=constants.ENDPOINT).model_info(repo_id, revision=revision, files_metadata=True)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        if isinstance(error, OfflineModeIsEnabled | HFValidationError):
            raise
        raise hub_errors.unreadable(repo_id) from None


def _is_plain(name: object, size: object) -> bool:
    """Whether the hub lists a file of the repository with its size, and not a place outside of it."""
    if not isinstance(name, str) or not isinstance(size, int) or size < 0:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name
