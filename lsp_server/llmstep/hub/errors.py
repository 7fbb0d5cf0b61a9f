"""What can go wrong with a download, as one plain sentence and what to do."""

from __future__ import annotations

import errno

from huggingface_hub import constants, errors

from llmstep.errors import DownloadError, LlmstepError, ModelNotFoundError, causes
from llmstep.progress import format_bytes

_LOCAL = "or choose a model that is on this machine (`llmstep models` lists them)."


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
    return DownloadError(
        f"The download of {repo_id} failed: {type(error).__name__}: {_first_line(error)}.",
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
    return isinstance(error, ConnectionError | TimeoutError) or type(error).__module__.partition(".")[0] in (
        "httpx",
        "httpx2",
        "httpcore",
        "httpcore2",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no details"])[0].rstrip(".")
