"""Models in few bits, rounded once and kept on disk, so that the next start reads few bytes.

A packed model is one safetensors file in the user's cache: the weights of its products in the order of tiles, which are
read straight into their memory. Norms, biases and embeddings are read from the model's own files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from safetensors import SafetensorError, TensorSpec, serialize_file

if TYPE_CHECKING:
    from llmstep.decoder.folder import ModelFolder
    from llmstep.decoder.weights import Kind, Weight

FORMAT = 7
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


def write(path: Path, products: Mapping[str, Weight]) -> None:
    """Keep products, whole or not at all; where that is not possible, nothing is kept."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    arrays = {f"{what}.{name}": getattr(each, what) for name, each in products.items() for what in ("matrix", "scales")}
    tensors = {
        name: TensorSpec(dtype=each.dtype.name, shape=each.shape, data_ptr=each.ctypes.data, data_len=each.nbytes)
        for name, each in arrays.items()
    }
    with contextlib.suppress(OSError, SafetensorError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            serialize_file(tensors, part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
