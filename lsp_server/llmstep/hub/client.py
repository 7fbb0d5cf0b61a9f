"""The hub's client: bounds on what it reads into memory beside files, and how it reports what has come."""

from __future__ import annotations

import threading
from typing import Any

from huggingface_hub import get_session
from tqdm.std import tqdm

from llmstep.errors import DownloadError

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
            hint="Is HF_ENDPOINT the address of a hub? A proxy on the way may change its answers.",
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
