"""A LoRA adapter, put into the weights of its base when the model is loaded (needs peft, the extra ``llmstep[lora]``).

Merged, it costs nothing at generation, and the base's own fast network runs it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from llmstep.catalog.store import ADAPTER_WEIGHTS
from llmstep.errors import ModelLoadError

if TYPE_CHECKING:
    from pathlib import Path


def merge(model: Any, folder: Path, name: str) -> Any:
    """The base with the adapter of `folder` in its weights; the base itself is changed.

    Raises:
        ModelLoadError: The adapter's weights are missing or do not belong to this base.
    """
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise ModelLoadError(
            f"The adapter in {folder} has no {ADAPTER_WEIGHTS}.", hint="Save it again, or get it whole."
        )
    from peft import PeftModel

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(model, folder)
    foreign = [str(each.message) for each in warned if "missing adapter keys" in str(each.message)]
    if foreign:
        raise ModelLoadError(
            f"The adapter of {name} does not belong to its base: some of its weights are missing.",
            hint="Get the adapter again, or correct base_model_name_or_path in its adapter_config.json.",
        )
    return adapted.merge_and_unload()
