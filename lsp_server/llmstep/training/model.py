"""The model that is fine-tuned: loaded with its tokenizer and template, perhaps with LoRA, and written in the end."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import attrs

from llmstep.catalog.files import HINTS, read_json
from llmstep.catalog.registry import find_record
from llmstep.catalog.store import STARTER_DIR, cache_path
from llmstep.catalog.template import Family, PromptTemplate
from llmstep.catalog.templates import TEMPLATES, get_template
from llmstep.engine.loaded import require
from llmstep.errors import ModelError, ModelLoadError, ModelNotFoundError, SettingsError
from llmstep.training.config import TrainConfig

_KINDS: dict[Family, str] = {"causal": "decoder-only", "seq2seq": "encoder-decoder"}
_PLAINEST: dict[Family, str] = {"causal": "pythia", "seq2seq": "byt5-state"}


@attrs.frozen
class Base:
    """What a training starts from."""

    model: Any
    """A module of transformers in float32."""
    tokenizer: Any
    template: PromptTemplate
    narrow: str
    """The type of 16 bits in which it can be written: bfloat16 where it was stored so or where activations are known to
    outgrow float16 (encoder-decoders), else float16."""


def load_base(config: TrainConfig) -> Base:
    """The base of a configuration: a catalog name, hub id or folder, causal or encoder-decoder."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    base = config.base
    record = find_record(base)
    source = base if record is None else str(STARTER_DIR) if record.bundled else record.repo_id
    try:
        shape = AutoConfig.from_pretrained(source)
        tokenizer = AutoTokenizer.from_pretrained(source)
        auto = AutoModelForSeq2SeqLM if shape.is_encoder_decoder else AutoModelForCausalLM
        model = auto.from_pretrained(source, dtype="float32")
    except OSError as error:
        raise ModelNotFoundError(
            f"The base model {base!r} was not found: {str(error).splitlines()[0]}",
            hint="Give a folder with config.json and weights, or a Hugging Face id that can be downloaded.",
        ) from error
    except (ValueError, RuntimeError, KeyError) as error:
        raise ModelLoadError(
            f"The base model {base!r} cannot be loaded: {str(error).splitlines()[0]}",
            hint="Fine-tuning works on causal and encoder-decoder language models of Hugging Face.",
        ) from error
    if tokenizer.eos_token_id is None:
        raise ModelLoadError(f"The tokenizer of {base!r} has no end token.", hint="Choose another base model.")
    if shape.is_encoder_decoder:
        _name_decoder_start(model)
    wide = shape.is_encoder_decoder or str(shape.dtype).endswith("bfloat16")
    template = _template_of(config, "seq2seq" if shape.is_encoder_decoder else "causal")
    return Base(model, tokenizer, template, "bfloat16" if wide else "float16")


def _name_decoder_start(model: Any) -> None:
    starts = [getattr(each, "decoder_start_token_id", None) for each in (model.generation_config, model.config)]
    model.config.decoder_start_token_id = next((start for start in starts if start is not None), None)
    if model.config.decoder_start_token_id is None:
        raise ModelLoadError(
            "The base does not say with which token its decoder starts.",
            hint="Set decoder_start_token_id in its config.json.",
        )


def _template_of(config: TrainConfig, family: Family) -> PromptTemplate:
    """The template that is named, else the base's own, else the plainest of its family."""
    record = find_record(config.base)
    folder = None if record else cache_path(config.base)
    own = record.template if record else str(read_json(folder / HINTS).get("template") or "") if folder else ""
    template = get_template(config.template or own or _PLAINEST[family])
    if template.family != family:
        fitting = [name for name, other in TEMPLATES.items() if other.family == family]
        raise ModelError(
            f"The template {template.name} is for {_KINDS[template.family]} models, and the base is {_KINDS[family]}.",
            hint=f"Leave out the template, or choose one of {', '.join(fitting)}.",
        )
    return template


def with_lora(model: Any, config: TrainConfig) -> Any:
    """The model with trainable LoRA matrices (peft); its own weights are frozen."""
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
        known = {name.rpartition(".")[2] for name, part in model.named_modules() if hasattr(part, "in_features")}
        raise SettingsError(
            f"LoRA finds none of the modules {', '.join(names)} in the model.",
            hint=f"Its linear modules are called {', '.join(sorted(known))}.",
        ) from error


def save_model(
    model: Any, base: Base, out: Path, *, template: PromptTemplate, dtype: Any, weights: dict[str, Any] | None = None
) -> None:
    """Writes weights, configuration, tokenizer, and `llmstep.json`, which the engine reads.

    That file has the template's name, and for one that reads the file the length of the longest prompt in training.
    Each file is whole when it appears: a model that is in use has its weights mapped, and would be changed under the
    reader's hands.

    Args:
        dtype: What the weights are made, in place; None leaves them as they are.
        weights: The model's tensors, where it does not hold them itself because several processes share them.
    """
    if dtype is not None:
        model = model.to(dtype)
    if weights is not None:
        weights = {name: tensor.to(model.dtype) for name, tensor in weights.items()}
    hints: dict[str, Any] = {"template": template.name}
    if template.uses_context:
        hints["max_prompt_tokens"] = template.max_prompt_tokens
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as new:
        model.save_pretrained(new, **({"state_dict": weights} if weights is not None else {}))
        base.tokenizer.save_pretrained(new)
        (Path(new) / HINTS).write_text(json.dumps(hints) + "\n", encoding="utf-8")
        for file in Path(new).iterdir():
            file.replace(out / file.name)
