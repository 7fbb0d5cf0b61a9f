"""LoRA: small matrices beside the frozen ones of a base, through peft (the extra ``llmstep[lora]``)."""

from __future__ import annotations

from typing import Any

from llmstep.engine.loaded import require
from llmstep.errors import SettingsError
from llmstep.training.config import TrainConfig


def with_lora(model: Any, config: TrainConfig) -> Any:
    """The model with trainable LoRA matrices; its own weights are frozen.

    Raises:
        MissingPackageError: peft is not installed.
        SettingsError: The model has no modules of the names in ``lora_modules``.
    """
    require("LoRA", "peft")
    import peft

    names = [name.strip() for name in config.lora_modules.split(",") if name.strip()]
    settings = peft.LoraConfig(
        task_type=peft.TaskType.SEQ_2_SEQ_LM if model.config.is_encoder_decoder else peft.TaskType.CAUSAL_LM,
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=names or "all-linear",
    )
    try:
        return peft.get_peft_model(model, settings)
    except ValueError as error:
        linear = [name for name, part in model.named_modules() if hasattr(part, "in_features")]
        known = sorted({name.rpartition(".")[2] for name in linear})
        raise SettingsError(
            f"LoRA finds none of the modules {', '.join(names)} in the model.",
            hint=f"Its linear modules are called {', '.join(known)}.",
        ) from error


def is_adapted(model: Any) -> bool:
    """Whether a model has adapters of peft."""
    return hasattr(model, "peft_config")
