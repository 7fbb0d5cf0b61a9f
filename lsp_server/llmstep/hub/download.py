"""Weights from the Hugging Face hub, through its cache, with progress and cancellation.

Once a model is in the cache no request is made for it. `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HUB_OFFLINE`, `HF_TOKEN` and
the proxy variables are honoured, since `huggingface_hub` does all the talking.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import attrs
from huggingface_hub import constants, snapshot_download

from llmstep.cancel import NEVER, CancelToken
from llmstep.catalog import store
from llmstep.catalog.files import ADAPTER, CONFIG, is_complete, needed_files, weight_files
from llmstep.catalog.store import adapter_base, is_path
from llmstep.errors import CancelledError, DownloadError, LlmstepError, ModelLoadError, ModelNotFoundError
from llmstep.hub import client
from llmstep.hub.arrived import check_arrived, check_cached
from llmstep.progress import Progress, ProgressSink, format_bytes, silent

STALL_SECONDS = 300.0
"""A download that brings nothing for this long has failed; the client reports steps of 10 MB, hence no less."""
_POLL_SECONDS = 0.05
_SLACK = 1 << 24
"""Bytes that may come again after a broken connection."""


def fetch(
    source: str,
    *,
    progress: ProgressSink = silent,
    cancel: CancelToken = NEVER,
    code: bool = False,
    check: Callable[[Path, int], object] = lambda _folder, _bytes: None,
) -> Path:
    """The folder with the files of a model; downloads those that are missing.

    Args:
        source: A folder, written as a path, or an id on the hub (`owner/name`).
        progress: Called with bytes done and in total, from several threads.
        cancel: When it is requested the download ends. Files that are complete by then are kept.
        code: Also fetch the Python files of the model.
        check: Called before the weights are downloaded, with the folder that holds everything else and the size of the
            weights; what it raises is raised.

    Raises:
        ModelNotFoundError: There is no such folder, or no such model on the hub.
        DownloadError: The download failed, or brought something else than the hub says.
        ModelLoadError: A file in the cache is not what the hub gave out.
        CancelledError: `cancel` was requested.
    """
    if is_path(source):
        path = Path(source).expanduser()
        if not path.is_dir():
            raise ModelNotFoundError(
                f"There is no folder {path}.", hint="Give a folder that holds a model, or an id on the hub: owner/name."
            )
        return path
    folder = cached_folder(source, code=code)
    if folder is None:

        def pick(sizes: Mapping[str, int]) -> tuple[list[str], list[str]]:
            weights = weight_files(sizes)
            if not weights:
                raise ModelLoadError(
                    f"The repository {source} holds no weights that transformers reads.",
                    hint="Choose one with model.safetensors or pytorch_model.bin; GGUF files cannot be loaded.",
                )
            return [name for name in needed_files(sizes, code=code) if name not in weights], weights

        return _Download(source, progress, pick, check).run(cancel)
    paths = [folder / name for name in weight_files(path.name for path in folder.iterdir())]
    check_cached(source, paths, progress=progress, cancel=cancel)
    return folder


def fetch_file(repo_id: str, name: str, *, progress: ProgressSink = silent, cancel: CancelToken = NEVER) -> Path:
    """One file of a repository on the hub, downloaded where it is not in the cache.

    Raises:
        ModelNotFoundError, DownloadError, CancelledError: As with `fetch`.
    """
    cached = store.cached_file(repo_id, name)
    if cached is not None:
        return cached

    def pick(sizes: Mapping[str, int]) -> tuple[list[str], list[str]]:
        if name not in sizes:
            raise ModelNotFoundError(
                f"The repository {repo_id} has no file {name}.",
                hint="Look at its list of files on the hub, and correct llmstep.model.",
            )
        return [], [name]

    return _Download(repo_id, progress, pick).run(cancel) / name


def download_bytes(repo_id: str, *, code: bool = False, file: str = "") -> int:
    """Bytes that a model still has to bring onto this machine, as the hub says; of an adapter, with its base.

    Args:
        code: As with `fetch`.
        file: One file of the repository, instead of what a model needs.

    Raises:
        LlmstepError: The hub cannot be asked, or has no such model.
    """
    try:
        _, sizes = client.listed(repo_id)
    except Exception as error:
        raise client.translate(error, repo_id) from error
    total = client.missing_bytes(repo_id, [file] if file else needed_files(sizes, code=code), sizes)
    if ADAPTER in sizes and CONFIG not in sizes:  # what it is for has to come as well
        base = adapter_base(fetch_file(repo_id, ADAPTER).parent)
        if base is not None and not is_path(base) and cached_folder(base) is None:
            total += download_bytes(base)
    return total


def cached_folder(repo_id: str, *, code: bool = False) -> Path | None:
    """The folder of a model in the hub's cache, or None when something is missing; no request is made.

    Args:
        code: The Python files of a model that brings some are to be there too.
    """
    folder = store.hub_folder(repo_id)
    return folder if folder and is_complete(folder, code=code) else None


@attrs.define(eq=False)
class _Download:
    """One download, in a thread of its own so that a stalled connection cannot hold up a cancellation."""

    repo_id: str
    progress: ProgressSink
    pick: Callable[[Mapping[str, int]], tuple[list[str], list[str]]]
    """Names of the small files and of the large ones, out of those of the repository with their sizes."""
    check: Callable[[Path, int], object] = lambda _folder, _bytes: None
    """Called between them with the folder of the small ones and the size of the large ones."""
    total: int = 0
    _sized: bool = False
    """Whether the hub has given the sizes of all files; not all mirrors do."""
    _cancel: CancelToken = attrs.field(factory=CancelToken)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    _bars: list[list[Any]] = attrs.field(factory=list)
    """Progress bars that count bytes, for each call of the hub's client."""
    _moved: float = attrs.field(factory=time.monotonic)

    def run(self, cancel: CancelToken) -> Path:
        """The folder of the snapshot."""
        found: Future[Path] = Future()

        def work() -> None:
            try:
                found.set_result(self._fetch())
            except BaseException as error:
                found.set_exception(error)

        threading.Thread(target=work, name=f"llmstep-download {self.repo_id}", daemon=True).start()
        while not wait([found], _POLL_SECONDS).done:
            if cancel.requested:
                self._abandon()
                raise CancelledError(f"The download of {self.repo_id} was cancelled.", hint="Ask again to go on.")
            if time.monotonic() - self._moved > STALL_SECONDS:
                self._abandon()
                raise client.translate(TimeoutError("the hub stopped answering"), self.repo_id)
        error = found.exception()
        if isinstance(error, LlmstepError):
            raise error
        if isinstance(error, Exception):
            raise client.translate(error, self.repo_id) from error
        return found.result()

    def _abandon(self) -> None:
        """Leave the thread to end by itself, at the next bytes it gets or when its connection times out."""
        self._cancel.request()
        _abort_transfer()

    def _fetch(self) -> Path:
        self._advanced(0)
        info, sizes = client.listed(self.repo_id)
        small, large = self.pick(sizes)
        names = [*small, *large]
        self._sized = all(file.size is not None for file in info.siblings or [] if file.rfilename in names)
        self.total = client.missing_bytes(self.repo_id, names, sizes)
        if self.total > (free := free_disk(Path(constants.HF_HUB_CACHE))):
            raise client.disk_full(self.repo_id, self.total, free)
        self._advanced(0)
        bar = client.bar_class(self)
        if small:
            self.check(self._snapshot(small, bar), sum(sizes[name] for name in large))
        folder = self._snapshot(large, bar)
        if missing := [name for name in names if not (folder / name).exists()]:
            # The hub went away between two requests, and what was cached before was returned.
            raise ConnectionError(f"{len(missing)} files are missing")
        if info.sha != folder.name:  # something was published in between
            info, _ = client.listed(self.repo_id, folder.name)
        files = [file for file in info.siblings or [] if file.rfilename in names]
        check_arrived(self.repo_id, folder, files, progress=self._moved_on, cancel=self._cancel)
        self._advanced(self.total)
        return folder

    def _snapshot(self, names: list[str], bar: type[Any]) -> Path:
        self._bars.append([])
        return Path(snapshot_download(self.repo_id, endpoint=constants.ENDPOINT, allow_patterns=names, tqdm_class=bar))

    def add(self, bar: Any) -> None:
        """Count in the bytes of a progress bar that the hub's client opens."""
        with self._lock:
            self._bars[-1].append(bar)

    def advance(self) -> None:
        """Report; the client counts the same bytes on two bars, on arrival and when written.

        Raises:
            CancelledError: The download was cancelled: this is the place where the client's threads notice it.
            DownloadError: More comes than the hub has said.
        """
        self._cancel.check("The download was cancelled.")
        with self._lock:
            done = sum(max((int(bar.n) for bar in bars), default=0) for bars in self._bars)
        if self._sized and done > self.total + _SLACK:
            raise DownloadError(
                f"The download of {self.repo_id} is longer than the hub says.",
                hint="A mirror (HF_ENDPOINT) or a proxy on the way changes files; try again without it.",
            )
        self._advanced(min(done, self.total))

    def _advanced(self, done: int) -> None:
        size = f" ({format_bytes(self.total)})" if self.total else ""
        self._moved_on(Progress("download", f"Downloading {self.repo_id}{size}", done, self.total))

    def _moved_on(self, update: Progress) -> None:
        self._moved = time.monotonic()
        if not self._cancel.requested:
            self.progress(update)


def free_disk(folder: Path) -> int:
    """Free bytes on the disk that `folder` is or will be on."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _abort_transfer() -> None:
    """Stop the hub's own transfer threads, which do not ask the progress bar; best effort, the module is private."""
    with contextlib.suppress(Exception):
        from huggingface_hub.utils import _xet

        _xet.abort_xet_session()  # type: ignore[no-untyped-call]
