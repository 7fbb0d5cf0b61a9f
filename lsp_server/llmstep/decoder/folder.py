"""A model as a folder of files, as the hub has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import config as configs
from llmstep.decoder.interface import DamagedError, UnsupportedError
from llmstep.decoder.tensor_file import DTYPES, TensorFile

if TYPE_CHECKING:
    from llmstep.decoder.adapter import Adapter

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
BYTE_TOKENIZERS = frozenset({"ByT5Tokenizer"})


def why_not(folder: Path) -> str | None:
    """See `llmstep.decoder.why_unsupported`."""
    try:
        config = configs.read_json(folder / "config.json")
        if config is None:
            return f"The folder {folder} has no config.json."
        reason = configs.why_not(config)
        if reason is None and not ((folder / WEIGHTS).is_file() or (folder / INDEX).is_file()):
            reason = "Its weights are not there as safetensors."
        words = configs.read_json(folder / TOKENIZER_CONFIG) or {}
        if reason is None and words.get("tokenizer_class") not in BYTE_TOKENIZERS:
            reason = None if (folder / TOKENIZER).is_file() else "Its tokenizer is not there as tokenizer.json."
    except DamagedError as error:
        return error.message
    return reason


class ModelFolder:
    """The files, with their weights open.

    Raises:
        UnsupportedError: It is none that can be run.
        DamagedError: Something is wrong with a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        reason = why_not(path)
        raw = configs.read_json(path / "config.json")
        if reason is not None or raw is None:
            raise UnsupportedError(f"The model in {path} cannot be run by llmstep's decoder. {reason}")
        self.raw_config: Mapping[str, Any] = raw
        self.config = configs.read(raw)
        self._generation = configs.read_json(path / "generation_config.json") or {}
        self.weight_paths = self._weight_paths()
        self._files: dict[str, TensorFile] | None = None
        self.adapter: Adapter | None = None
        self.tokenizer_path = path

    def adapt(self, folder: Path) -> None:
        """Put a LoRA adapter into the weights; its tokenizer is taken, where it brings one.

        Raises:
            UnsupportedError, DamagedError: That cannot be done.
        """
        from llmstep.decoder import adapter

        if (reason := adapter.why_not(folder)) is not None:
            raise UnsupportedError(f"The adapter in {folder} cannot be used. {reason}")
        self.adapter = adapter.Adapter(folder)
        self.adapter.check(self.tensors)
        if (folder / TOKENIZER_CONFIG).is_file():
            self.tokenizer_path = folder

    def rows(self, part: str, first: int, last: int) -> NDArray[np.float32]:
        """Rows of a linear layer's weight, with what an adapter adds."""
        rows = self.tensors[f"{part}.weight"].rows(f"{part}.weight", first, last)
        return rows if self.adapter is None else self.adapter.add(part, first, last, rows)

    @property
    def tensors(self) -> dict[str, TensorFile]:
        """The file that each tensor is in."""
        if self._files is None:
            found: dict[str, TensorFile] = {}
            for path in self.weight_paths:
                file = TensorFile(path)
                found.update(dict.fromkeys(file.names, file))
            self._files = found
        return self._files

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

    def close(self) -> None:
        """Close the files of the weights."""
        for file in set((self._files or {}).values()):
            file.close()
        self._files = None

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
        if (self.path / WEIGHTS).is_file():
            return [self.path / WEIGHTS]
        index = configs.read_json(self.path / INDEX) or {}
        try:
            names = {str(name).replace("\\", "/").rpartition("/")[2] for name in index["weight_map"].values()}
        except (KeyError, AttributeError) as error:
            raise configs.broken(self.path / INDEX) from error
        return [self.path / name for name in sorted(names)]
