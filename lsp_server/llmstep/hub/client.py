"""The hub's client: what the hub says of a repository, within bounds, what has come of it, and what can go wrong."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import attrs
from huggingface_hub import HfApi, constants, errors, get_session, try_to_load_from_cache
from tqdm.std import tqdm

from llmstep.errors import DownloadError, LlmstepError, ModelNotFoundError, causes
from llmstep.progress import format_bytes

MAX_BYTES = 1 << 25
"""Of an answer that is no file; a list of ten thousand files has a tenth of that."""

_LOCAL = "or choose a model that is on this machine (`llmstep models` lists them)."


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


@attrs.frozen
class Listing:
    """What the hub says of a repository."""

    commit: str
    sizes: dict[str, int]
    """Of its files, in bytes; 0 where it does not say one."""
    sums: dict[str, str]
    """SHA-256 of the large ones, as hexadecimal digits."""


def bar_class(add: Callable[[Any], object], advance: Callable[[], object]) -> type[Any]:
    """A progress bar that draws nothing: `add` gets each one of bytes, `advance` is called when one moves."""

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # no watching thread

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, disable=True)
            self.total = kwargs.get("total")
            self.n = kwargs.get("initial", 0)
            self.counts = kwargs.get("unit") == "B"
            if self.counts:
                add(self)

        def update(self, n: float | None = 1) -> None:
            with self.get_lock():
                self.n += n or 0
            if self.counts:
                advance()

    Bar.set_lock(threading.RLock())  # tqdm's own lock would start a process
    return Bar


def missing_bytes(repo_id: str, names: Iterable[str], sizes: Mapping[str, int]) -> int:
    """Bytes of the files that are not in the cache."""
    return sum(sizes.get(name, 0) for name in names if not isinstance(try_to_load_from_cache(repo_id, name), str))


def listed(repo_id: str, revision: str | None = None) -> Listing:
    """What the hub says of a repository.

    Raises:
        DownloadError: The answer is no list of files.
    """
    bounded_session()
    try:
        found = HfApi(endpoint=constants.ENDPOINT).model_info(repo_id, revision=revision, files_metadata=True)
        files = found.siblings or []
        sizes = {file.rfilename: 0 if file.size is None else file.size for file in files}
        if isinstance(found.sha, str) and all(map(_is_plain, sizes, sizes.values())):
            return Listing(found.sha, sizes, {file.rfilename: file.lfs.sha256 for file in files if file.lfs})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        if isinstance(error, errors.OfflineModeIsEnabled | errors.HFValidationError):
            raise
    raise unreadable(repo_id)


def _is_plain(name: object, size: object) -> bool:
    """Whether the hub lists a file of the repository with its size, and not a place outside of it."""
    if not isinstance(name, str) or not isinstance(size, int) or size < 0:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def translate(error: Exception, repo_id: str) -> LlmstepError:
    """The error to show for one of `huggingface_hub`, of its HTTP client, or of the file system."""
    if isinstance(error, LlmstepError):
        return error
    hub = constants.ENDPOINT
    chain = causes(error)
    if any(isinstance(each, errors.OfflineModeIsEnabled) for each in chain):
        return _final(
            f"The model {repo_id} is not on this machine, and downloads are switched off by HF_HUB_OFFLINE.",
            f"Unset HF_HUB_OFFLINE to download it once, {_LOCAL}",
        )
    if any(isinstance(each, errors.GatedRepoError) for each in chain):
        return _final(
            f"The model {repo_id} is gated: its authors give access on request.",
            f"Ask for access at {hub}/{repo_id}, then log in with `hf auth login` or set HF_TOKEN.",
        )
    refusal = next((each for each in chain if isinstance(each, errors.HfHubHTTPError)), None)
    if isinstance(refusal, errors.RepositoryNotFoundError) or (refusal and _is_anonymous(refusal)):
        return ModelNotFoundError(
            f"There is no model {repo_id} on {hub}, or it is private.",
            hint="Check the spelling; for a private model log in with `hf auth login` or set HF_TOKEN.",
        )
    if isinstance(error, errors.HFValidationError):
        return ModelNotFoundError(
            f"{repo_id!r} is no model id.", hint="Ids on the hub look like owner/name; folders must exist."
        )
    if any(isinstance(each, OSError) and each.errno in (errno.ENOSPC, errno.EDQUOT) for each in chain):
        return disk_full(repo_id)
    if any(isinstance(each, PermissionError) for each in chain):
        return _final(
            f"The model {repo_id} cannot be stored: the folder {constants.HF_HUB_CACHE} is not writable.",
            "Correct its permissions, or set HF_HOME to a folder of your own.",
        )
    status = refusal.response.status_code if refusal else None
    if status in (401, 403):
        return _final(
            f"The hub refused to give out the model {repo_id} (status {status}).",
            "The access token is probably invalid: log in again with `hf auth login`, or correct HF_TOKEN.",
        )
    if status is not None:
        return DownloadError(
            f"The hub answered the request for {repo_id} with status {status}.",
            hint=f"Try again in a while; if it lasts, see https://status.huggingface.co, {_LOCAL}",
        )
    if any(_is_network(each) for each in chain):
        return DownloadError(
            f"The download of {repo_id} failed: {hub} cannot be reached or stopped answering.",
            hint=f"Check the network and the proxy and try again, set HF_ENDPOINT to a mirror, {_LOCAL}",
        )
    said = (str(error).strip().splitlines() or ["no details"])[0].rstrip(".")
    return DownloadError(
        f"The download of {repo_id} failed: {type(error).__name__}: {said}.",
        hint=f"Try again, {_LOCAL}",
    )


def unreadable(repo_id: str) -> DownloadError:
    """The error for an answer that is not what the hub's protocol says."""
    return DownloadError(
        f"The answer of the hub {constants.ENDPOINT} to the request for {repo_id} cannot be read.",
        hint=f"Check HF_ENDPOINT and the proxy and try again, {_LOCAL}",
    )


def disk_full(repo_id: str, needed: int = 0, free: int = 0) -> DownloadError:
    """The error for a disk that cannot take a download, with the bytes where they are known before."""
    sizes = f" ({format_bytes(needed)} needed, {format_bytes(free)} free)" if needed else ""
    return _final(
        f"The disk is too full for the model {repo_id}{sizes}.",
        f"Free space at {constants.HF_HUB_CACHE}, or set HF_HOME to a folder on another disk.",
    )


def _final(message: str, hint: str) -> DownloadError:
    """A failure that trying again does not cure."""
    error = DownloadError(message, hint=hint)
    error.retryable = False
    return error


def _is_anonymous(refusal: errors.HfHubHTTPError) -> bool:
    """Whether the hub wants to know who asks: its answer for models that do not exist and for private ones alike."""
    reason = refusal.response.headers.get("X-Error-Message", "")
    return refusal.response.status_code == 401 and not reason.startswith("Invalid credentials")


def _is_network(error: BaseException) -> bool:
    """Whether an error is one of connections; the hub's HTTP client is `httpx` or its successor `httpx2`."""
    return isinstance(error, ConnectionError | TimeoutError) or type(error).__module__.startswith(("httpx", "httpcore"))
