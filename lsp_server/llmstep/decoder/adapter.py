"""A LoRA adapter as peft saves it, put into the weights of its base while they are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.config import ADAPTER_CONFIG, ADAPTER_WEIGHTS, read_json, why_unsupported_adapter
from llmstep.decoder.interface import DamagedError, UnsupportedError
from llmstep.decoder.tensor_file import open_tensors

_BEFORE = "base_model.model."


class Adapter:
    """
    Raises:
        UnsupportedError: It is none that can be used.
        DamagedError: Something is wrong with a file.
    """

    def __init__(self, folder: Path) -> None:
        if (reason := why_unsupported_adapter(folder)) is not None:
            raise UnsupportedError(f"The adapter in {folder} cannot be used. {reason}")
        self.paths = [folder / ADAPTER_WEIGHTS]
        self._folder = folder
        config: Mapping[str, Any] = read_json(folder / ADAPTER_CONFIG) or {}
        tensors = open_tensors(folder / ADAPTER_WEIGHTS)
        parts = {name.replace(".default.weight", ".weight"): each.read() for name, each in tensors.items()}
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
        Raises:
            DamagedError: Not all that is adapted is among the tensors of the base, `names`.
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
