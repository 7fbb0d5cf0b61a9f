"""Writes GGUF files in Q4_K_M with random weights and the shape of a model, for which llama.cpp takes as long."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.config import Config
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from llmstep.decoder.folder import ModelFolder

_SIZE = 0.04
"""Weights are between this and its negative, or near it."""
_ARCHITECTURES = {"gpt_neox": "gptneox", "mistral": "llama"}
_SCALES: dict[str, dict[int, float]] = {
    "Q4_K": {0: 63 * 7.5, 2: 63},
    "Q6_K": {208: 127 * 32},
    "Q8_0": {0: 127},
    "Q5_0": {0: 16},
}
"""By the name of a format: where a block has numbers of 16 bits, and what the largest weight is in each."""
_NARROW = {"Q4_K": "Q5_0", "Q6_K": "Q8_0"}
"""What is taken where rows are no whole number of blocks, as llama.cpp does."""
_PATTERN = 1 << 12
_LAYER = re.compile(r"blk\.(\d+)\.(attn_v|ffn_down)\.weight")


def write(model: ModelFolder, file: Path) -> None:
    """
    Args:
        model: A decoder-only model, whose configuration and names of tensors are taken.

    Raises:
        RequestError: The package gguf is missing, or the model is an encoder-decoder model.
    """
    if importlib.util.find_spec("gguf") is None:
        raise RequestError("The package gguf is not installed.", hint="pip install gguf")
    import gguf

    config = model.config
    if config.encoder_layers:
        raise RequestError(
            "The comparison with llama.cpp is for decoder-only models.", hint="Compare with ctranslate2."
        )
    architecture = _ARCHITECTURES.get(config.architecture, config.architecture)
    writer = gguf.GGUFWriter(file, architecture)
    _describe(writer, config)
    known = next(each for each, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(known, config.layers)
    found = {}
    for name, tensor in model.tensors.items():
        if (theirs := names.get_name(name, try_suffixes=(".weight", ".bias"))) is not None:
            found[theirs] = tensor.shape
    for name, shape in found.items():
        if len(shape) == 1:
            writer.add_tensor(name, np.full(shape, 1.0 if name.endswith("norm.weight") else 0.0, np.float32))
            continue
        kind = _format(name, config.layers, tied="output.weight" not in found)
        if shape[1] % gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]][0]:
            kind = _NARROW.get(kind, kind)
        count, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
        writer.add_tensor(name, _blocks(kind, shape, count, size), raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: Any, config: Config) -> None:
    """What llama.cpp has to know beside the weights; its words are numbers, since prompts are given as tokens."""
    writer.add_context_length(config.positions or 2048)
    writer.add_embedding_length(config.hidden)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.inner)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.key_heads)
    writer.add_key_length(config.width)
    writer.add_value_length(config.width)
    writer.add_rope_dimension_count(config.rotary)
    writer.add_rope_freq_base(float(config.rope["rope_theta"]))
    if config.neox:
        writer.add_parallel_residual(config.parallel)
        writer.add_layer_norm_eps(config.epsilon)
    else:
        writer.add_layer_norm_rms_eps(config.epsilon)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"<{number}>" for number in range(config.vocabulary)])
    writer.add_token_types([1] * config.vocabulary)
    writer.add_token_merges(["< 0"])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)


def _format(name: str, layers: int, *, tied: bool) -> str:
    """The format of a weight: the head, and a part of two weights in half of the layers, have six bits."""
    if name == "output.weight" or (tied and name == "token_embd.weight"):
        return "Q6_K"
    if (found := _LAYER.fullmatch(name)) is None:
        return "Q4_K"
    layer, eighth = int(found[1]), layers // 8
    more = layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2
    return "Q6_K" if more else "Q4_K"


def _blocks(kind: str, shape: tuple[int, ...], count: int, size: int) -> NDArray[np.uint8]:
    """Random blocks of `count` weights in `size` bytes, [rows, bytes of a row]."""
    made = np.random.default_rng(1).integers(0, 256, (_PATTERN, size), np.uint8)
    for place, largest in _SCALES[kind].items():
        made[:, place : place + 2] = np.array([_SIZE / largest], np.float16).view(np.uint8)
    rows, width = shape
    return np.resize(made, (math.prod((rows, width // count)), size)).reshape(rows, -1)
