"""The model that a training starts from: a base with its tokenizer, or a new small GPT-NeoX."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from llmstep.catalog.files import HINTS, read_json
from llmstep.catalog.registry import find_record
from llmstep.catalog.store import STARTER_DIR, cache_path
from llmstep.catalog.template import Family, PromptTemplate
from llmstep.catalog.templates import TEMPLATES, get_template
from llmstep.errors import ModelError, ModelLoadError, ModelNotFoundError
from llmstep.training.adapters import is_adapted
from llmstep.training.config import Architecture


def load_base(base: str) -> tuple[Any, Any]:
    """Model (in float32) and tokenizer of a catalog name, hub id or folder, causal or encoder-decoder.

    Raises:
        ModelNotFoundError, ModelLoadError: It is not there, or is no language model that can be trained.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    record = find_record(base)
    source = base if record is None else str(STARTER_DIR) if record.bundled else record.repo_id
    try:
        config = AutoConfig.from_pretrained(source)
        tokenizer = AutoTokenizer.from_pretrained(source)
        auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model = auto.from_pretrained(source, dtype="float32")
        model.config.stored_dtype = str(config.dtype or "").removeprefix("torch.")
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
    return model, tokenizer


def new_model(shape: Architecture, tokenizer: Any) -> Any:
    """A GPT-NeoX with random weights for the tokenizer; input and output embeddings are one matrix."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=shape.positions,
        tie_word_embeddings=True,
        # One after the other: with few layers the extra depth is worth more than the speed of the parallel form.
        use_parallel_residual=False,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
        # The usual 0.02 is meant for widths beyond a thousand; a narrow model learns to copy much later with it.
        initializer_range=shape.hidden**-0.5,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = GPTNeoXForCausalLM(config)
    for layer in model.gpt_neox.layers:
        # What the layers add starts small beside the embeddings, so that a token is not lost among it.
        layer.attention.dense.weight.data.mul_(0.3)
        layer.mlp.dense_4h_to_h.weight.data.mul_(0.3)
    return model


def template_of(named: str, base: str, family: Family) -> PromptTemplate:
    """The template to train with: the one that is named, else the base's own, else the plainest of its family.

    Raises:
        ModelError: There is no such template, or it is for the other family.
    """
    record = find_record(base) if base else None
    folder = cache_path(base) if base and record is None else None
    own = record.template if record else str(read_json(folder / HINTS).get("template") or "") if folder else ""
    template = get_template(named or own or {"causal": "pythia", "seq2seq": "byt5-state"}[family])
    if template.family != family:
        kinds = {"causal": "decoder-only", "seq2seq": "encoder-decoder"}
        fitting = [name for name, other in TEMPLATES.items() if other.family == family]
        raise ModelError(
            f"The template {template.name} is for {kinds[template.family]} models, and the base is {kinds[family]}.",
            hint=f"Leave out the template, or choose one of {', '.join(fitting)}.",
        )
    return template


def save_model(
    model: Any,
    tokenizer: Any,
    out: Path,
    *,
    half: bool,
    template: PromptTemplate,
    weights: dict[str, Any] | None = None,
) -> None:
    """Writes weights, configuration, tokenizer, and `llmstep.json`, which the engine reads.

    That file has the template's name, and for one that reads the file the length of the longest prompt in training.

    With ``half`` the model is made 16 bits wide in place: bfloat16 where the base was or where activations are known to
    outgrow float16 (encoder-decoders), else float16. An adapter is small and stays as it is. Each file is whole when it
    appears: a model that is in use has its weights mapped, and would be changed under the reader's hands.

    Args:
        weights: The model's tensors, where it does not hold them itself because several processes share them.
    """
    stored = getattr(model.config, "stored_dtype", "")
    if hasattr(model.config, "stored_dtype"):
        del model.config.stored_dtype
    if half and not is_adapted(model):
        wide = stored == "bfloat16" or model.config.is_encoder_decoder
        model = model.bfloat16() if wide else model.half()
    if weights is not None:
        weights = {name: tensor.to(model.dtype) for name, tensor in weights.items()}
    hints: dict[str, Any] = {"template": template.name}
    if template.uses_context:
        hints["max_prompt_tokens"] = template.max_prompt_tokens
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as new:
        model.save_pretrained(new, **({"state_dict": weights} if weights is not None else {}))
        tokenizer.save_pretrained(new)
        (Path(new) / HINTS).write_text(json.dumps(hints) + "\n", encoding="utf-8")
        for file in Path(new).iterdir():
            file.replace(out / file.name)
