"""Models in few bits, rounded once and kept on disk, so that the next start reads few bytes.

A packed model is one safetensors file in the user's cache: weights in the order of tiles, which are read straight into
their memory, norms, and embeddings as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from typing import TYPE_CHECKING

import platformdirs

from llmstep.decoder.interface import DamagedError
from llmstep.decoder.tensor_file import TensorFile, TensorWriter

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.decoder.folder import ModelFolder
    from llmstep.decoder.weights import Kind

FORMAT = 5
"""Goes up when the contents of a packed file change their meaning."""


def path_for(model: ModelFolder, kind: Kind, cache: Path | None = None) -> Path:
    """Where the packed form of a model is or would be; another one when the model's files change."""
    digest = hashlib.sha256(f"{FORMAT}\0{kind}\0".encode())
    digest.update((model.path / "config.json").read_bytes())
    for path in (*model.weight_paths, *(model.adapter.paths if model.adapter else ())):
        status = path.stat()
        # In the hub's cache the name of the file behind the link is the hash of its contents.
        digest.update(f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    parts = model.path.resolve().parts
    name = parts[-3] if len(parts) > 2 and parts[-2] == "snapshots" else parts[-1]
    short = re.sub(r"[^\w.-]+", "-", name).strip("-")[-60:]
    folder = cache or platformdirs.user_cache_path("llmstep") / "packed"
    return folder / f"{short}-{kind}-{digest.hexdigest()[:16]}.safetensors"


class Keeping:
    """Writes a packed file, which appears whole or not at all; where that is not possible, nothing is written.

    Use it as a context; `writer` is None where there is nowhere to write to.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.{os.getpid()}.part")
        self.writer: TensorWriter | None = None
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.writer = TensorWriter(self._part)

    def finish(self, metadata: dict[str, str]) -> None:
        """All is written."""
        if self.writer is not None and self.writer.close(metadata):
            with contextlib.suppress(OSError):
                self._part.replace(self._path)

    def __enter__(self) -> Keeping:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)


def find(path: Path) -> TensorFile | None:
    """The file at a path; None where there is none, or a damaged one."""
    with contextlib.suppress(OSError, DamagedError):
        return TensorFile(path)
    return None
