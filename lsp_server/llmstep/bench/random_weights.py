"""Writes models with random weights as the hub has them, so that no module has to be in memory."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import TensorSpec, serialize_file

_BLOCK = 1 << 22
_SIZE = 0.04
"""Weights are between this and its negative."""


def write(config: Any, folder: Path) -> None:
    """A model of a configuration of transformers in bfloat16; its tokenizer is ByT5's."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, ByT5Tokenizer

    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    with torch.device("meta"):
        shapes = {name: tuple(each.shape) for name, each in auto.from_config(config).state_dict().items()}
    if config.is_encoder_decoder or config.tie_word_embeddings:  # the same tensor under several names
        again = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
        shapes = {name: shape for name, shape in shapes.items() if name not in again}
    if config.tie_word_embeddings and not config.is_encoder_decoder:
        shapes.pop("lm_head.weight", None)
    largest = max(math.prod(shape) for shape in shapes.values())
    draw = np.random.default_rng(1).uniform(-_SIZE, _SIZE, _BLOCK).astype(np.float32)
    random = np.resize((draw.view(np.uint32) >> 16).astype(np.uint16), largest)
    ones = np.full(_BLOCK, 0x3F80, np.uint16)
    # All tensors are the beginning of the same memory: what is done with them takes as long.
    tensors = {
        name: TensorSpec(
            dtype="bfloat16",
            shape=shape,
            data_ptr=(random if len(shape) > 1 else ones).ctypes.data,
            data_len=2 * math.prod(shape),
        )
        for name, shape in shapes.items()
    }
    serialize_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config.dtype = "bfloat16"
    config.save_pretrained(folder)
    ByT5Tokenizer().save_pretrained(folder)
    generation = {"decoder_start_token_id": config.decoder_start_token_id} if config.is_encoder_decoder else {}
    (folder / "generation_config.json").write_text(json.dumps(generation))
