"""A model as a folder of files, as the hub has them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import config as configs
from llmstep.decoder.adapter import Adapter
from llmstep.decoder.interface import DamagedError, UnsupportedError
from llmstep.decoder.tensor_file import DTYPES, TensorFile


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

    def rows(self, part: str, first: int, last: int) -> NDArray[np.float32]:
        """Rows of a linear layer's weight, with what an adapter adds."""
        rows = self.tensors[f"{part}.weight"].rows(f"{part}.weight", first, last)
        return rows if self.adapter is None else self.adapter.add(part, first, last, rows)

    @functools.cached_property
    def tensors(self) -> dict[str, TensorFile]:
        """The file that each tensor is in."""
        return {name: file for path in self.weight_paths for file in [TensorFile(path)] for name in file.names}

    def file(self, name: str) -> TensorFile:
        """The file of a tensor.

        Raises:
            DamagedError: There is none, or it has numbers of an unknown type.
        """
        file = self.tensors.get(name)
        if file is None:
            raise self.incomplete(f"{name} is missing")
        if file.dtype(name) not in DTYPES:
            raise self.incomplete(f"{name} has numbers of the type {file.dtype(name)}, which is not known here")
        return file

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
