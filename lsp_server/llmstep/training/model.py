"""The model that a training starts from: a base with its tokenizer, or a new small GPT-NeoX."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstep.catalog.store import HINTS
from llmstep.errors import ModelLoadError, ModelNotFoundError

if TYPE_CHECKING:
    from llmstep.training.config import Architecture


def load_base(base: str) -> tuple[Any, Any]:
    """Model (in float32) and tokenizer of a hub id or folder.

    Raises:
        ModelNotFoundError, ModelLoadError: It is not there, or is no causal model that can be trained.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
        model = AutoModelForCausalLM.from_pretrained(base, dtype="float32")
    except OSError as error:
        raise ModelNotFoundError(
            f"The base model {base!r} was not found: {str(error).splitlines()[0]}",
            hint="Give a folder with config.json and weights, or a Hugging Face id that can be downloaded.",
        ) from error
    except (ValueError, RuntimeError, KeyError) as error:
        raise ModelLoadError(
            f"The base model {base!r} cannot be loaded: {str(error).splitlines()[0]}",
            hint="Fine-tuning works on causal (decoder-only) Hugging Face models.",
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


def save_model(model: Any, tokenizer: Any, out: Path, *, half: bool, template: str) -> None:
    """Writes weights, configuration, tokenizer, and the template's name to `llmstep.json`, which the engine reads.

    With ``half`` the model is made float16 in place. Each file is whole when it appears: a model that is in use has its
    weights mapped, and would be changed under the reader's hands.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as new:
        (model.half() if half else model).save_pretrained(new)
        tokenizer.save_pretrained(new)
        (Path(new) / HINTS).write_text(json.dumps({"template": template}) + "\n", encoding="utf-8")
        for file in Path(new).iterdir():
            file.replace(out / file.name)
