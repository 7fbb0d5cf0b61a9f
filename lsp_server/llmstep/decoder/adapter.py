"""A LoRA adapter as peft saves it, put into the weights of its base while they are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.config import read_json
from llmstep.decoder.interface import DamagedError
from llmstep.decoder.tensor_file import TensorFile

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_BEFORE = "base_model.model."
_PLAIN = {"peft_type": ("LORA",), "bias": ("none",)}
_WITHOUT = ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out", "trainable_token_indices")


def why_not(folder: Path) -> str | None:
    """Why the adapter in a folder cannot be used, as a sentence; None where it can, as far as its small files say."""
    try:
        config = read_json(folder / _CONFIG)
    except DamagedError as error:
        return error.message
    if config is None or not (folder / _WEIGHTS).is_file():
        return f"The folder {folder} has no {_CONFIG} or no {_WEIGHTS}."
    for name, known in _PLAIN.items():
        if config.get(name, known[0]) not in known:
            return f"The adapter has {name} {config[name]}, which is not known here."
    other = next((name for name in _WITHOUT if config.get(name)), None)
    return None if other is None else f"The adapter uses {other}, which is not known here."


class Adapter:
    """
    Raises:
        DamagedError: Something is wrong with a file.
    """

    def __init__(self, folder: Path) -> None:
        self.paths = [folder / _WEIGHTS]
        self._folder = folder
        config: Mapping[str, Any] = read_json(folder / _CONFIG) or {}
        file = TensorFile(folder / _WEIGHTS)
        parts = {name.replace(".default.weight", ".weight"): file.read(name) for name in file.names}
        self._parts: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        try:
            rank = float(config["r"])
            self._scale = np.float32(config["lora_alpha"] / (rank**0.5 if config.get("use_rslora") else rank))
            for name in [name for name in parts if name.endswith(".lora_A.weight")]:
                down, up = parts.pop(name), parts.pop(name.replace("lora_A", "lora_B"))
                self._parts[name.removeprefix(_BEFORE).removesuffix(".lora_A.weight")] = down, up
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise self._foreign() from error
        if parts or not self._parts:
            raise self._foreign()

    def check(self, names: Mapping[str, Any]) -> None:
        """
        Args:
            names: Tensors of the base.

        Raises:
            DamagedError: Not all that is adapted is there.
        """
        if any(f"{name}.weight" not in names for name in self._parts):
            raise self._foreign()

    def add(self, part: str, first: int, last: int, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows of a linear layer's weight with what the adapter adds to them."""
        if part not in self._parts:
            return rows
        down, up = self._parts[part]
        if down.shape[1:] != rows.shape[1:] or up.shape[1:] != down.shape[:1] or len(up) < last:
            raise self._foreign()
        return np.asarray(rows + self._scale * (up[first:last] @ down), np.float32)

    def _foreign(self) -> DamagedError:
        return DamagedError(
            f"The adapter in {self._folder} does not belong to its base: some of its weights are missing.",
            "Get the adapter again, or correct base_model_name_or_path in its adapter_config.json.",
        )
