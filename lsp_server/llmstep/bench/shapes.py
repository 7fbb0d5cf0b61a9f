"""Models with the true shape of a published one and random weights, for figures where the real one is not at hand.

How long a step takes does not depend on what the weights say; how long an answer is does, so that the number of tokens
is fixed.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from llmstep.errors import RequestError

SUFFIX = "-shape"
_BLOCK = 1 << 22
_SIZE = 0.04
"""Weights are between this and its negative."""
_ENDS: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0}
_GATED: dict[str, Any] = {
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
    "decoder_start_token_id": 0,
    "vocab_size": 384,
}
_SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


def _sizes(*sizes: int, **more: Any) -> dict[str, Any]:
    return {**dict(zip(_SIZES, sizes, strict=True)), **more}


def _qwen2(*sizes: int, keys: int, tied: bool) -> dict[str, Any]:
    more = {"num_key_value_heads": keys, "tie_word_embeddings": tied, "max_position_embeddings": 32768}
    return _sizes(*sizes, **more, **_ENDS)


SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "byt5-300m-shape": (
        "T5Config",
        {
            "d_model": 1472,
            "d_kv": 64,
            "d_ff": 3584,
            "num_layers": 12,
            "num_decoder_layers": 4,
            "num_heads": 6,
            **_GATED,
        },
    ),
    "pythia-2.8b-shape": ("GPTNeoXConfig", _sizes(50304, 2560, 32, 32, 10240, max_position_embeddings=2048, **_ENDS)),
    "qwen2-1.5b-shape": ("Qwen2Config", _qwen2(151936, 1536, 28, 12, 8960, keys=2, tied=True)),
    "qwen2-7b-shape": ("Qwen2Config", _qwen2(152064, 3584, 28, 28, 18944, keys=4, tied=False)),
    "llama-7b-shape": ("LlamaConfig", _sizes(32000, 4096, 32, 32, 11008, max_position_embeddings=4096, **_ENDS)),
    "tiny-shape": ("GPTNeoXConfig", _sizes(384, 64, 2, 4, 256)),
    "tiny-qwen2-shape": ("Qwen2Config", _qwen2(384, 256, 2, 4, 512, keys=2, tied=True)),
    "tiny-t5-shape": ("T5Config", {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, **_GATED}),
}
"""Classes of transformers, and what is written in their configurations."""


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """A folder with a model of a shape, in bfloat16, for whatever loads models.

    Raises:
        RequestError: There is no such shape.
    """
    with tempfile.TemporaryDirectory(prefix="llmstep-bench-") as place:
        write(config_of(name), Path(place))
        yield Path(place)


def config_of(name: str) -> Any:
    """The configuration of a shape."""
    if name not in SHAPES:
        raise RequestError(f"There is no shape {name}.", hint=f"Known are {', '.join(SHAPES)}.")
    import transformers

    kind, words = SHAPES[name]
    return getattr(transformers, kind)(**words)


def write(config: Any, folder: Path) -> None:
    """A model of a configuration of transformers in bfloat16 as the hub has it; its tokenizer knows bytes only.

    No module has to be in memory.
    """
    import torch
    from safetensors import TensorSpec, serialize_file
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

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
    _tokenizer(config).save_pretrained(folder)
    generation = {"decoder_start_token_id": config.decoder_start_token_id} if config.is_encoder_decoder else {}
    (folder / "generation_config.json").write_text(json.dumps(generation))


def _tokenizer(config: Any) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

    if config.is_encoder_decoder:
        return ByT5Tokenizer()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    others = [*(f"<{number}>" for number in range(len(alphabet) + 1, config.vocab_size)), "<|endoftext|>"]
    core = Tokenizer(models.BPE({token: number for number, token in enumerate([*alphabet, *others])}, []))
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core)


if __name__ == "__main__":
    write(config_of(sys.argv[1]), Path(sys.argv[2]))
