"""The hub's client: what the hub says of a repository, within bounds, and how it is reported what has come."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from huggingface_hub import HfApi, constants, get_session, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled
from tqdm.std import tqdm

from llmstep.errors import DownloadError
from llmstep.hub import errors as hub_errors

MAX_BYTES = 1 << 25
"""Of an answer that is no file; a list of ten thousand files has a tenth of that."""


def bounded_session() -> None:
    """Have the client that `huggingface_hub` shares among its calls read no more than that of such an answer."""
    client = get_session()
    hooks = client.event_hooks
    if _ask_plain not in hooks["request"]:
        client.event_hooks = {
            "request": [*hooks["request"], _ask_plain],
            "response": [*hooks["response"], _read_within_bounds],
        }


def _ask_plain(request: Any) -> None:
    """Compressed answers would have to be unpacked before one knows how long they are."""
    request.headers["Accept-Encoding"] = "identity"


def _read_within_bounds(response: Any) -> None:
    """
    Raises:
        DownloadError: The answer is too long.
    """
    path = response.request.url.path
    if response.is_redirect or (response.status_code < 400 and ("/api/" not in path or "/resolve/" in path)):
        return  # nothing of it is read, or it is a file, which goes to the disk
    body = bytearray()
    known = response.headers.get("content-encoding", "identity").lower() in ("", "identity", "gzip", "deflate")
    for data in response.iter_bytes() if known else ():
        body += data
        if len(body) > MAX_BYTES:
            known = False
            break
    if not known:
        response.close()
        raise DownloadError(
            f"The answer of {response.request.url.host} is too long, or cannot be read.",
            hint="Check that HF_ENDPOINT is the address of a hub, and that no proxy changes its answers.",
        )
    response._content = bytes(body)  # where httpx looks for what has been read


def bar_class(download: Any) -> type[Any]:
    """A progress bar that draws nothing and reports to `download`: `add` for a bar of bytes, `advance` for a step."""

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # no watching thread

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, disable=True)
            self.total = kwargs.get("total")
            self.n = kwargs.get("initial", 0)
            self.counts = kwargs.get("unit") == "B"
            if self.counts:
                download.add(self)

        def update(self, n: float | None = 1) -> None:
            with self.get_lock():
                self.n += n or 0
            if self.counts:
                download.advance()

    Bar.set_lock(threading.RLock())  # tqdm's own lock would start a process
    return Bar


def missing_bytes(repo_id: str, names: Iterable[str], sizes: Mapping[str, int]) -> int:
    """Bytes of the files that are not in the cache."""
    return sum(sizes.get(name, 0) for name in names if not isinstance(try_to_load_from_cache(repo_id, name), str))


def listed(repo_id: str, revision: str | None = None) -> tuple[Any, dict[str, int]]:
    """What the hub says of the repository, and the sizes of its files; 0 where it does not say one.

    Raises:
        DownloadError: The answer is no list of files.
    """
    bounded_session()
    try:
        found = HfApi(endpoint=constants.ENDPOINT).model_info(repo_id, revision=revision, files_metadata=True)
        sizes = {file.rfilename: 0 if file.size is None else file.size for file in found.siblings or []}
        if isinstance(found.sha, str) and all(map(_is_plain, sizes, sizes.values())):
            return found, sizes
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        if isinstance(error, OfflineModeIsEnabled | HFValidationError):
            raise
    raise hub_errors.unreadable(repo_id)


def _is_plain(name: object, size: object) -> bool:
    """Whether the hub lists a file of the repository with its size, and not a place outside of it."""
    if not isinstance(name, str) or not isinstance(size, int) or size < 0:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name
