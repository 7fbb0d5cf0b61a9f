"""Weights from the Hugging Face hub, through its cache, with progress and cancellation.

Once a model is in the cache no request is made for it. `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HUB_OFFLINE`, `HF_TOKEN` and
the proxy variables are honoured, since `huggingface_hub` does all the talking.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Container, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import attrs
from huggingface_hub import constants, snapshot_download

from llmstep.cancel import NEVER, CancelToken
from llmstep.catalog.files import ADAPTER, CONFIG, broken, needed_files, weight_files
from llmstep.catalog.store import adapter_base, cached_folder, is_path, missing, path_of, repository
from llmstep.errors import CancelledError, DownloadError, ModelLoadError, ModelNotFoundError
from llmstep.hub import client
from llmstep.hub.arrived import fault_of
from llmstep.progress import Progress, ProgressSink, format_bytes, silent

STALL_SECONDS = 300.0
"""A download that brings nothing for this long has failed; the client reports steps of 10 MB, hence no less."""
_POLL_SECONDS = 0.05


def fetch(
    source: str,
    *,
    progress: ProgressSink = silent,
    cancel: CancelToken = NEVER,
    code: bool = False,
    check: Callable[[Path, int], object] = lambda _folder, _bytes: None,
) -> Path:
    """The folder with the files of a model, or the one file; downloads what is missing.

    Args:
        source: A folder, written as a path, an id on the hub (`owner/name`), or a file there (`owner/name/FILE.gguf`).
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
        path = path_of(source)
        if not path.exists():
            raise ModelNotFoundError(
                f"There is no folder {path}.", hint="Give a folder that holds a model, or an id on the hub: owner/name."
            )
        return path
    here = cached_folder(source, code=code)
    if here is None:
        return _Download(*repository(source), progress, code, check).run(cancel)
    checking = Progress("download", f"Checking the files of {source}")
    for name in weight_files(path.name for path in here.iterdir()) if here.is_dir() else ():
        fault = fault_of(here / name, lambda: progress(checking), cancel)
        if fault:
            raise broken(here / name, f"differs from what the hub has: {fault}")
    return here


def fetch_with_base(
    source: str, *, progress: ProgressSink = silent, cancel: CancelToken = NEVER, code: bool = False
) -> Path:
    """The same; where that is an adapter, with what it is for."""
    here = fetch(source, progress=progress, cancel=cancel, code=code)
    base = adapter_base(here)
    if base is not None:
        fetch(base, progress=progress, cancel=cancel)
    return here


def download_bytes(source: str, *, code: bool = False) -> int:
    """Bytes that a model still has to bring onto this machine, as the hub says; of an adapter, with its base.

    Args:
        source, code: As with `fetch`.

    Raises:
        LlmstepError: The hub cannot be asked, or has no such model.
    """
    total, names = _missing_bytes(source, code)
    if ADAPTER in names and CONFIG not in names:  # what it is for has to come as well
        base = adapter_base(fetch(f"{repository(source)[0]}/{ADAPTER}").parent)
        if base is not None and missing(base):
            total += _missing_bytes(base, code=False)[0]
    return total


def _missing_bytes(source: str, code: bool) -> tuple[int, Container[str]]:
    """Those of one repository, and the names of its files."""
    repo_id, file = repository(source)
    try:
        sizes = client.listed(repo_id).sizes
    except Exception as error:
        raise client.translate(error, repo_id) from error
    return client.missing_bytes(repo_id, [file] if file else needed_files(sizes, code=code), sizes), sizes


@attrs.define(eq=False)
class _Download:
    """One download, in a thread of its own so that a stalled connection cannot hold up a cancellation."""

    repo_id: str
    file: str
    """The one that is wanted; empty for what a model needs."""
    progress: ProgressSink
    code: bool
    check: Callable[[Path, int], object]
    total: int = 0
    _cancel: CancelToken = attrs.field(factory=CancelToken)
    _bars: list[list[Any]] = attrs.field(factory=list)
    """Progress bars that count bytes, for each call of the hub's client."""
    _moved: float = attrs.field(factory=time.monotonic)

    def run(self, cancel: CancelToken) -> Path:
        """The folder of the snapshot, or the one file."""
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
        if isinstance(error, Exception):
            translated = client.translate(error, self.repo_id)
            raise translated from (None if translated is error else error)
        return found.result()

    def _abandon(self) -> None:
        """Leave the thread to end by itself, at the next bytes it gets or when its connection times out."""
        self._cancel.request()
        with contextlib.suppress(Exception):  # the transfer threads do not ask the bar; best effort, it is private
            from huggingface_hub.utils import _xet

            _xet.abort_xet_session()  # type: ignore[no-untyped-call]

    def _fetch(self) -> Path:
        self._report(0)
        listed = client.listed(self.repo_id)
        small, large = self._wanted(listed.sizes)
        names = [*small, *large]
        self.total = client.missing_bytes(self.repo_id, names, listed.sizes)
        if self.total > (free := _free_disk(Path(constants.HF_HUB_CACHE))):
            raise client.disk_full(self.repo_id, self.total, free)
        self._report(0)
        if small:
            self.check(self._snapshot(small), sum(listed.sizes[name] for name in large))
        folder = self._snapshot(large)
        if absent := [name for name in names if not (folder / name).exists()]:
            # The hub went away between two requests, and what was cached before was returned.
            raise ConnectionError(f"{len(absent)} files are missing")
        if listed.commit != folder.name:  # something was published in between
            listed = client.listed(self.repo_id, folder.name)
        for name in names:
            self._look_at(folder / name, listed.sizes.get(name, 0), listed.sums.get(name, ""))
        self._report(self.total)
        return folder / self.file

    def _wanted(self, sizes: Mapping[str, int]) -> tuple[list[str], list[str]]:
        """Names of the small files and of the large ones, out of those of the repository."""
        if self.file:
            if self.file not in sizes:
                raise ModelNotFoundError(
                    f"The repository {self.repo_id} has no file {self.file}.",
                    hint="Look at its list of files on the hub, and correct llmstep.model.",
                )
            return [], [self.file]
        weights = weight_files(sizes)
        if not weights:
            raise ModelLoadError(
                f"The repository {self.repo_id} holds no weights that transformers reads.",
                hint="Choose one with model.safetensors or pytorch_model.bin; GGUF files cannot be loaded.",
            )
        return [name for name in needed_files(sizes, code=self.code) if name not in weights], weights

    def _look_at(self, path: Path, size: int, sha256: str) -> None:
        """Delete a file that is not what the hub says, so that the next download fetches it anew."""
        checking = Progress("download", f"Checking the files of {self.repo_id}")
        fault = fault_of(path, lambda: self._tell(checking), self._cancel, size=size, sha256=sha256)
        if not fault:
            return
        for each in {path, path.resolve()}:
            each.unlink(missing_ok=True)
        raise DownloadError(
            f"The file {path.name} of {self.repo_id} is not what the hub says: {fault}.",
            hint="Ask again to download it anew; if it happens again, a mirror (HF_ENDPOINT) or a proxy on the way "
            "changes files.",
        )

    def _snapshot(self, names: list[str]) -> Path:
        bars: list[Any] = []
        self._bars.append(bars)
        bar = client.bar_class(bars.append, self._advance)
        return Path(snapshot_download(self.repo_id, endpoint=constants.ENDPOINT, allow_patterns=names, tqdm_class=bar))

    def _advance(self) -> None:
        """Report; the client counts the same bytes on two bars, on arrival and when written.

        Raises:
            CancelledError: The download was cancelled: this is the place where the client's threads notice it.
        """
        self._cancel.check("The download was cancelled.")
        done = sum(max((int(bar.n) for bar in bars), default=0) for bars in self._bars)
        self._report(min(done, self.total))

    def _report(self, done: int) -> None:
        size = f" ({format_bytes(self.total)})" if self.total else ""
        self._tell(Progress("download", f"Downloading {self.repo_id}{size}", done, self.total))

    def _tell(self, update: Progress) -> None:
        self._moved = time.monotonic()
        if not self._cancel.requested:
            self.progress(update)


def _free_disk(folder: Path) -> int:
    """Free bytes on the disk that `folder` is or will be on."""
    return shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists())).free
