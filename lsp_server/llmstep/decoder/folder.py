"""A model as a folder of files, as the hub has them, and how large it will be in memory."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import config as configs
from llmstep.decoder.adapter import Adapter
from llmstep.decoder.interface import (
    SMALL,
    DamagedError,
    Footprint,
    MemoryShortError,
    Quantization,
    UnsupportedError,
)
from llmstep.decoder.tensor_file import FLOATS, Tensor, open_tensors
from llmstep.decoder.weights import KEPT, Kind, bytes_of

_TOKENS = 2048
"""Tokens of a usual prompt and its samples, at most."""
_EMBEDDINGS = ("embed_in.weight", "embed_tokens.weight", "shared.weight")
_HEADS = ("lm_head.weight", "embed_out.weight")


class ModelFolder:
    """The files, with their weights open.

    Args:
        adapter: Folder of a LoRA adapter that is put into the weights; its tokenizer is taken, where it brings one.

    Raises:
        UnsupportedError: It is none that can be run.
        DamagedError: Something is wrong with a file.
    """

    def __init__(self, path: Path, adapter: Path | None = None) -> None:
        self.path = self.tokenizer_path = path
        reason = configs.why_unsupported(path)
        raw = configs.read_json(path / "config.json")
        if reason is not None or raw is None:
            raise UnsupportedError(f"The model in {path} cannot be run by llmstep's decoder. {reason}")
        self.raw_config: Mapping[str, Any] = raw
        self.config = configs.read(raw)
        self._generation = configs.read_json(path / "generation_config.json") or {}
        self.weight_paths = self._weight_paths()
        self.adapter: Adapter | None = None
        if adapter is not None:
            self.adapter = Adapter(adapter)
            self.adapter.check(self.tensors)
            if (adapter / configs.TOKENIZER_CONFIG).is_file():
                self.tokenizer_path = adapter

    @functools.cached_property
    def tensors(self) -> dict[str, Tensor]:
        """By name, of all files."""
        return {name: tensor for path in self.weight_paths for name, tensor in open_tensors(path).items()}

    def tensor(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor of a shape, in which 0 stands for any length.

        Raises:
            DamagedError: There is none, or it has another shape.
        """
        if (found := self.tensors.get(name)) is None:
            raise self.incomplete(f"{name} is missing")
        pairs = zip(shape, found.shape, strict=False)
        if len(shape) != len(found.shape) or any(wanted not in (0, there) for wanted, there in pairs):
            raise self.incomplete(f"{name} has another shape than config.json says")
        return found

    def rows(self, part: str, first: int, last: int) -> NDArray[np.float32]:
        """Rows of a linear layer's weight, with what an adapter adds."""
        rows = self.tensors[f"{part}.weight"].rows(first, last)
        return rows if self.adapter is None else self.adapter.add(part, first, last, rows)

    def incomplete(self, what: str) -> DamagedError:
        """The error for weights and a configuration that do not belong together."""
        return DamagedError(
            f"The weights in {self.path} are incomplete: {what}.",
            "The weights and config.json do not belong together, or the model was not saved whole.",
        )

    @property
    def start_id(self) -> int | None:
        """First token of the decoder of an encoder-decoder model."""
        if not self.config.encoder_layers:
            return None
        for holder in (self._generation, self.raw_config):
            for name in ("decoder_start_token_id", "bos_token_id"):
                if isinstance(start := holder.get(name), int):
                    return start
        raise UnsupportedError(
            f"The model in {self.path} does not say with which token its decoder starts.",
            "Set decoder_start_token_id in its config.json.",
        )

    @property
    def end_ids(self) -> set[int]:
        """Tokens that end a text, as far as the configuration says."""
        found: set[int] = set()
        for holder in (self._generation, self.raw_config):
            ids = holder.get("eos_token_id")
            found.update(ids if isinstance(ids, list) else [] if ids is None else [ids])
        return found

    def _weight_paths(self) -> list[Path]:
        if (self.path / configs.WEIGHTS).is_file():
            return [self.path / configs.WEIGHTS]
        index = configs.read_json(self.path / configs.INDEX) or {}
        try:
            names = {str(name).replace("\\", "/").rpartition("/")[2] for name in index["weight_map"].values()}
        except (KeyError, AttributeError) as error:
            raise configs.broken(self.path / configs.INDEX) from error
        return [self.path / name for name in sorted(names)]


def measure(folder: Path | str, quantization: Quantization = "auto", max_memory: int | None = None) -> Footprint:
    """The size that a model would have, and with `auto` the format; by the headers of its files.

    Raises:
        UnsupportedError, DamagedError, MemoryShortError: As `load`.
    """
    return choose(ModelFolder(Path(folder)), quantization, max_memory)


def choose(model: ModelFolder, quantization: Quantization, max_memory: int | None) -> Footprint:
    """The format for a model, and its size in it; see `measure`."""
    found = of(model, "float32" if quantization == "auto" else quantization)
    if quantization == "auto" and found.parameters >= SMALL:
        found = of(model, "int8")
        if max_memory is not None and _with_cache(model, found) > max_memory:
            found = of(model, "int4")
    if max_memory is not None and (needed := _with_cache(model, found)) > max_memory:
        raise MemoryShortError(
            f"The model in {model.path} needs about {needed / 1e9:.1f} GB of memory in {found.quantization}, "
            f"and {max_memory / 1e9:.1f} GB are free.",
            "Close other programs, or use a smaller model.",
        )
    return found


def of(model: ModelFolder, kind: Kind) -> Footprint:
    """The size of a model in a format."""
    tensors = model.tensors.items()
    shapes = {name: each.shape for name, each in tensors if len(each.shape) <= 2 and each.dtype in FLOATS}
    tied = not any(name in shapes for name in _HEADS)
    total = 0
    for name, shape in shapes.items():
        embedding = name.endswith(_EMBEDDINGS)
        if embedding and 4 * math.prod(shape) <= KEPT:
            total += 4 * math.prod(shape)
        if len(shape) != 2:
            total += 4 * math.prod(shape)
        elif not embedding or (tied and not name.startswith(("encoder", "decoder"))):
            head = embedding or name in _HEADS
            total += bytes_of("int8" if head and kind == "int4" else kind, *shape)
    return Footprint(kind, sum(map(math.prod, shapes.values())), total)


def _with_cache(model: ModelFolder, size: Footprint) -> int:
    """Bytes of a model with the keys and values of a usual prompt, and the memory between its products."""
    config = model.config
    numbers = config.layers * config.key_heads * config.width
    return size.weight_bytes + 2 * numbers * _TOKENS * 4 + 40 * _TOKENS * config.hidden
