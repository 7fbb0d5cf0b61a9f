"""From a folder to a model in memory."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from llmstep.decoder import folder as folders
from llmstep.decoder import layout, packed, tokenizer
from llmstep.decoder.config import Config
from llmstep.decoder.folder import ModelFolder
from llmstep.decoder.footprint import choose
from llmstep.decoder.interface import (
    AGAIN,
    SMALL,
    DamagedError,
    Footprint,
    MemoryShortError,
    Progress,
    Quantization,
    UnsupportedError,
)
from llmstep.decoder.model import Decoder
from llmstep.decoder.source import Source
from llmstep.decoder.tensor_file import TensorFile

if TYPE_CHECKING:
    from llmstep.decoder.network import Network

_log = logging.getLogger(__name__)


def load(
    folder: Path,
    *,
    quantization: Quantization,
    threads: int | None,
    max_memory: int | None,
    progress: Progress,
    cancel: Callable[[], bool],
    adapter: Path | None,
    cache: Path | None,
) -> Decoder:
    """See `llmstep.decoder.load`."""
    model = ModelFolder(folder)
    if adapter is not None:
        model.adapt(adapter)
    size = choose(model, quantization, max_memory)
    words = tokenizer.read(model.tokenizer_path, model.end_ids)
    count = threads or (1 if size.parameters < SMALL else cores())
    try:
        if by_numpy(model.config, size):
            from llmstep.decoder.numpy_network import NumpyNetwork

            network: Network = NumpyNetwork(layout.read(model.config, Source(model, "float32", threads=1), None))
        else:
            network = _compiled(model, size, count, progress, cancel, cache)
            progress("Reading weights", 1.0)
    except (ValueError, IndexError, TypeError) as error:
        raise DamagedError(f"The weights in {folder} cannot be read ({error}).", AGAIN) from error
    except MemoryError as error:
        raise MemoryShortError(
            f"The memory ran out while the model in {folder} was read.", "Close other programs, or use a smaller model."
        ) from error
    ends = model.end_ids | ({words.eos_token_id} if words.eos_token_id is not None else set())
    return Decoder(network, words, model.config, size, start_id=model.start_id, end_ids=frozenset(ends), threads=count)


def by_numpy(config: Config, size: Footprint) -> bool:
    """Whether numpy runs a model: one so small that having numba takes longer; any GPT-NeoX where there is no numba."""
    small = size.parameters < SMALL or not has_numba()
    return config.neox and size.quantization == "float32" and small


def is_compiled(folder: Path) -> bool:
    """Whether compiled code runs the model in a folder."""
    if folders.why_not(folder) is not None:
        return False
    model = ModelFolder(folder)
    try:
        return not by_numpy(model.config, choose(model, "auto", None))
    finally:
        model.close()


def has_numba() -> bool:
    """Whether networks can be compiled; there are no packages of numba for Intel Macs, for example."""
    return importlib.util.find_spec("numba") is not None


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _compiled(
    model: ModelFolder,
    size: Footprint,
    threads: int,
    progress: Progress,
    cancel: Callable[[], bool],
    cache: Path | None,
) -> Network:
    if not has_numba():
        raise UnsupportedError(
            f"The model in {model.path} needs the package numba, which is not installed.",
            "Run `pip install numba`; where there is none for this machine, the bundled model still works.",
        )
    from llmstep.decoder.compiled.ready import ready

    ready(progress)
    from llmstep.decoder.compiled.network import CompiledNetwork

    def reading(share: float) -> None:
        progress("Reading weights", share)

    kind = size.quantization

    def made(found: TensorFile | None) -> tuple[Network, Source]:
        source = Source(model, kind, threads=threads, packed=found, progress=reading, cancel=cancel)
        return CompiledNetwork(layout.read(model.config, source, model.start_id), floats=kind == "float32"), source

    if kind == "float32":
        return made(None)[0]
    path = packed.path_for(model, kind, cache)
    if (file := packed.find(path)) is not None:
        try:
            return made(file)[0]
        except (DamagedError, OSError, LookupError) as error:
            _log.warning("llmstep: %s is made anew: %s", path, error)
    network, source = made(None)
    packed.write(path, source.products)
    return network
