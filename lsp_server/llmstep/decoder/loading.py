"""From a folder to a model in memory."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llmstep.decoder import layout, packed, tokenizer
from llmstep.decoder.config import Config, why_unsupported
from llmstep.decoder.folder import ModelFolder, choose
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
from llmstep.decoder.tensor_file import Tensor, open_tensors

if TYPE_CHECKING:
    from llmstep.decoder.compiled.network import CompiledNetwork

_log = logging.getLogger(__name__)


def load(
    folder: Path | str,
    *,
    quantization: Quantization = "auto",
    threads: int | None = None,
    max_memory: int | None = None,
    progress: Progress = lambda what, share: None,
    cancel: Callable[[], bool] = lambda: False,
    adapter: Path | None = None,
    cache: Path | None = None,
) -> Decoder:
    """Read the model in a folder of files as the hub has them: config.json, safetensors, tokenizer.

    A model in int8 or int4 is quantized once and kept in the user's cache, so that the next start reads few bytes.
    The first load on a machine compiles the decoder, which takes half a minute.

    Args:
        threads: Threads of the products; None takes one for small models, else one for each core.
        max_memory: Bytes that the model may take, with the keys and values of a usual prompt; None for no limit.
        cancel: Asked between two weights.
        adapter: Folder of a LoRA adapter that is put into the weights.
        cache: Folder for quantized models; None takes the user's.

    Raises:
        UnsupportedError, DamagedError, MemoryShortError, StoppedError
    """
    model = ModelFolder(Path(folder), adapter)
    size = choose(model, quantization, max_memory)
    words = tokenizer.read(model.tokenizer_path, model.end_ids)
    count = threads or (1 if size.parameters < SMALL else _cores())
    try:
        if by_numpy(model.config, size):
            from llmstep.decoder.numpy_network import NumpyNetwork

            parts = layout.read(model.config, Source(model, "float32", threads=1, dense=True), None)
            network: NumpyNetwork | CompiledNetwork = NumpyNetwork(parts)
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


def prepare(progress: Progress = lambda what, share: None, *, folder: Path | str | None = None) -> None:
    """Compile the decoder for this processor, where that has not been done; `load` does so too.

    Args:
        folder: A model; nothing is compiled where it can do without.

    Raises:
        UnsupportedError, DamagedError: As `load`.
    """
    if not _has_numba():
        return
    if folder is not None:
        if why_unsupported(Path(folder)) is not None:
            return
        model = ModelFolder(Path(folder))
        if by_numpy(model.config, choose(model, "auto", None)):
            return
    from llmstep.decoder.compiled.ready import ready

    ready(progress)


def by_numpy(config: Config, size: Footprint) -> bool:
    """Whether numpy runs a model: one so small that having numba takes longer; any GPT-NeoX where there is no numba."""
    small = size.parameters < SMALL or not _has_numba()
    return config.neox and size.quantization == "float32" and small


def _has_numba() -> bool:
    """Whether networks can be compiled; there are no packages of numba for Intel Macs, for example."""
    return importlib.util.find_spec("numba") is not None


def _cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _compiled(
    model: ModelFolder,
    size: Footprint,
    threads: int,
    progress: Progress,
    cancel: Callable[[], bool],
    cache: Path | None,
) -> CompiledNetwork:
    if not _has_numba():
        raise UnsupportedError(
            f"The model in {model.path} needs the package numba, which is not installed.",
            "Run `pip install numba`; where there is none for this machine, the bundled model still works.",
        )
    from llmstep.decoder.compiled.ready import ready

    ready(progress)
    from llmstep.decoder.compiled.network import CompiledNetwork

    kind = size.quantization

    def source(found: Mapping[str, Tensor] | None = None) -> Source:
        return Source(model, kind, threads=threads, packed=found, progress=progress, cancel=cancel)

    def network(read: Source) -> CompiledNetwork:
        return CompiledNetwork(layout.read(model.config, read, model.start_id), floats=kind == "float32")

    if kind == "float32":
        return network(source())
    path = packed.path_for(model, kind, cache)
    if path.is_file():
        try:
            return network(source(open_tensors(path)))
        except (DamagedError, OSError, LookupError) as error:
            _log.warning("llmstep: %s is made anew: %s", path, error)
    made = network(whole := source())
    packed.write(path, whole.products)
    return made
