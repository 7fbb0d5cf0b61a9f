"""Whether the files of a model are what the hub gave out, by size and SHA-256.

In the hub's cache a large file bears its SHA-256 as its name, so that a model that some other program downloaded can be
looked at too, without a network. A file is read once; what was found right is remembered by its size and time.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import platformdirs

from llmstep.cancel import NEVER, CancelToken
from llmstep.catalog.files import broken
from llmstep.errors import DownloadError
from llmstep.progress import Progress, ProgressSink, silent

_PIECE = 1 << 22
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_arrived(
    repo_id: str,
    folder: Path,
    files: Iterable[Any],
    *,
    progress: ProgressSink = silent,
    cancel: CancelToken = NEVER,
) -> None:
    """Check files that a download has brought; one that is wrong is deleted, so that the next download fetches it anew.

    Args:
        folder: Of the snapshot.
        files: What the hub says of them (`RepoSibling` of huggingface_hub).
        progress: Called while files are read.

    Raises:
        DownloadError: A file has another size or another SHA-256 than the hub says.
        CancelledError: `cancel` was requested.
    """
    for file in files:
        path = folder / file.rfilename
        blob = path.resolve()
        size = blob.stat().st_size
        wanted = file.lfs.sha256 if file.lfs else _name_of(blob)
        wrong = ""
        if file.size is not None and size != file.size:
            wrong = f"it has {size} bytes, not {file.size}"
        elif wanted is not None:
            wrong = _differs(blob, wanted, repo_id, progress, cancel)
        if wrong:
            for each in {path, blob}:
                each.unlink(missing_ok=True)
            raise DownloadError(
                f"The file {file.rfilename} of {repo_id} is not what the hub says: {wrong}.",
                hint="Ask again to download it anew; if it happens again, a mirror (HF_ENDPOINT) or a proxy on the way "
                "changes files.",
            )


def check_cached(
    repo_id: str, paths: Iterable[Path], *, progress: ProgressSink = silent, cancel: CancelToken = NEVER
) -> None:
    """Check files in the hub's cache against their names; those that have no SHA-256 for a name are passed over.

    Raises:
        ModelLoadError: A file has another SHA-256 than its name says.
        CancelledError: `cancel` was requested.
    """
    for path in paths:
        blob = path.resolve()
        wanted = _name_of(blob)
        if wanted is not None and blob.is_file() and (wrong := _differs(blob, wanted, repo_id, progress, cancel)):
            raise broken(path, f"differs from what the hub has: {wrong}")


def _differs(blob: Path, wanted: str, repo_id: str, progress: ProgressSink, cancel: CancelToken) -> str:
    """What is wrong with the SHA-256 of a file; empty where nothing is."""
    mark = _mark(blob, wanted)
    if mark.exists():
        return ""
    checking = Progress("download", f"Checking the files of {repo_id}")
    got = sha256_of(blob, lambda: progress(checking), cancel)
    if got != wanted:
        return f"its SHA-256 is {got[:16]}…, not {wanted[:16]}…"
    with contextlib.suppress(OSError):  # it is only read again
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return ""


def sha256_of(path: Path, moved: Callable[[], None], cancel: CancelToken) -> str:
    """The SHA-256 of a file, as hexadecimal digits.

    Raises:
        CancelledError: `cancel` was requested.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            cancel.check("The check of the downloaded files was cancelled.", hint="Ask again to go on.")
            digest.update(piece)
            moved()
    return digest.hexdigest()


def _name_of(blob: Path) -> str | None:
    """The SHA-256 that a file of the cache bears as its name."""
    return blob.name if blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name) else None


def _mark(blob: Path, sha256: str) -> Path:
    """The empty file that says that a file was found right, as long as it keeps its size and time."""
    stat = blob.stat()
    known = f"{blob} {sha256} {stat.st_size} {stat.st_mtime_ns}"
    folder = platformdirs.user_cache_path("llmstep") / "arrived"
    return folder / hashlib.sha256(known.encode("utf-8", "surrogateescape")).hexdigest()
