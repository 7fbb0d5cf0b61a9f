"""Whether the files of a model are what the hub gave out, by size and SHA-256.

In the hub's cache a large file bears its SHA-256 as its name, so that a model that some other program downloaded can be
looked at too, without a network. A file is read once; what was found right is remembered by its size and time.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import platformdirs

from llmstep.cancel import CancelToken

_PIECE = 1 << 22
_SHA256 = re.compile(r"[0-9a-f]{64}")


def fault_of(path: Path, moved: Callable[[], None], cancel: CancelToken, *, size: int = 0, sha256: str = "") -> str:
    """What is wrong with a file in the hub's cache; empty where nothing is.

    Args:
        moved: Called while it is read.
        size: Bytes, as the hub says; 0 where it was not asked, or does not say it.
        sha256: As the hub says; else the one that the file bears as its name, if it bears one.

    Raises:
        CancelledError: `cancel` was requested.
    """
    blob = path.resolve()
    stat = blob.stat()
    if size and stat.st_size != size:
        return f"it has {stat.st_size} bytes, not {size}"
    wanted = sha256 or (blob.name if blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name) else "")
    mark = _mark(f"{blob} {wanted} {stat.st_size} {stat.st_mtime_ns}")
    if not wanted or mark.exists():
        return ""
    got = sha256_of(blob, moved, cancel)
    if got != wanted:
        return f"its SHA-256 is {got[:16]}…, not {wanted[:16]}…"
    with contextlib.suppress(OSError):  # it is only read again
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return ""


def sha256_of(path: Path, moved: Callable[[], None], cancel: CancelToken) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            cancel.check("The check of the downloaded files was cancelled.", hint="Ask again to go on.")
            digest.update(piece)
            moved()
    return digest.hexdigest()


def _mark(known: str) -> Path:
    """The empty file that says that a file was found right, as long as it keeps its size and time."""
    name = hashlib.sha256(known.encode("utf-8", "surrogateescape")).hexdigest()
    return platformdirs.user_cache_path("llmstep") / "arrived" / name
