"""Writes models with random weights as the hub has them, tensor by tensor, so that no module has to be in memory."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from llmstep.decoder.tensor_file import TensorWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

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
    draw = np.random.default_rng(1)
    block = draw.uniform(-_SIZE, _SIZE, _BLOCK).astype(np.float32)
    random = (block.view(np.uint32) >> 16).astype(np.uint16)
    ones = np.full(_BLOCK, 0x3F80, np.uint16)
    writer = TensorWriter(folder / "model.safetensors")
    for name, shape in shapes.items():
        writer.write(name, "BF16", shape, _parts(random if len(shape) > 1 else ones, math.prod(shape), draw))
    if not writer.close({"format": "pt"}):
        raise OSError(f"there is no room for {config.model_type} in {folder}")
    config.dtype = "bfloat16"
    config.save_pretrained(folder)
    ByT5Tokenizer().save_pretrained(folder)
    generation = {"decoder_start_token_id": config.decoder_start_token_id} if config.is_encoder_decoder else {}
    (folder / "generation_config.json").write_text(json.dumps(generation))


def _parts(block: NDArray[np.uint16], count: int, draw: np.random.Generator) -> Iterator[NDArray[Any]]:
    """So many numbers of a block, from another place each time."""
    while count > 0:
        part = np.roll(block, int(draw.integers(_BLOCK)))[: min(count, _BLOCK)] if count < _BLOCK else block
        yield part
        count -= len(part)
