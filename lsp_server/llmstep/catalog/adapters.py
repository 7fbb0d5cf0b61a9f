"""Folders that hold a LoRA adapter of peft instead of a whole model: they name the base that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.catalog.store import CONFIG, read_json
from llmstep.errors import ModelLoadError

if TYPE_CHECKING:
    from pathlib import Path

ADAPTER = "adapter_config.json"
"""The file that tells peft about an adapter, with the base's hub id or folder in it."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"


def adapter_base(folder: Path) -> str | None:
    """Hub id or folder of the base, where `folder` holds an adapter; None where it holds a whole model, or nothing.

    Raises:
        ModelLoadError: The adapter does not say what its base is.
    """
    if (folder / CONFIG).is_file() or not (folder / ADAPTER).is_file():
        return None
    base = read_json(folder / ADAPTER).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelLoadError(
            f"The adapter in {folder} does not say which model it is for.",
            hint=f"Set base_model_name_or_path in its {ADAPTER} to that model's id or folder.",
        )
    return base
