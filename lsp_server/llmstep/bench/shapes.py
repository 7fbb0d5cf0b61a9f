"""Models with the true shape of a published one and random weights, for figures where the real one is not at hand.

How long a step takes does not depend on what the weights say; how long an answer is does, so that the number of tokens
is fixed.
"""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstep.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

SUFFIX = "-shape"


def _byt5_300m() -> Any:
    from transformers import T5Config

    return T5Config(
        vocab_size=384,
        d_model=1472,
        d_kv=64,
        d_ff=3584,
        num_layers=12,
        num_decoder_layers=4,
        num_heads=6,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
    )


def _pythia_2b8() -> Any:
    from transformers import GPTNeoXConfig

    return GPTNeoXConfig(
        vocab_size=50304,
        hidden_size=2560,
        num_hidden_layers=32,
        num_attention_heads=32,
        intermediate_size=10240,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=0,
    )


def _qwen2_7b() -> Any:
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=152064,
        hidden_size=3584,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        intermediate_size=18944,
        max_position_embeddings=32768,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
    )


def _qwen2_1b5() -> Any:
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=151936,
        hidden_size=1536,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
        intermediate_size=8960,
        max_position_embeddings=32768,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
    )


def _llama_7b() -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=32000,
        hidden_size=4096,
        num_hidden_layers=32,
        num_attention_heads=32,
        intermediate_size=11008,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=0,
    )


def _small() -> Any:
    from transformers import GPTNeoXConfig

    return GPTNeoXConfig(
        vocab_size=384, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256
    )


def _small_qwen2() -> Any:
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=384,
        hidden_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=512,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
    )


def _small_t5() -> Any:
    from transformers import T5Config

    return T5Config(
        vocab_size=384,
        d_model=64,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
    )


SHAPES: dict[str, Callable[[], Any]] = {
    "byt5-300m-shape": _byt5_300m,
    "pythia-2.8b-shape": _pythia_2b8,
    "qwen2-1.5b-shape": _qwen2_1b5,
    "qwen2-7b-shape": _qwen2_7b,
    "llama-7b-shape": _llama_7b,
    "tiny-shape": _small,
    "tiny-qwen2-shape": _small_qwen2,
    "tiny-t5-shape": _small_t5,
}


def folder(name: str) -> Path:
    """A folder with a model of a shape, in bfloat16, for whatever loads models; it is gone when the process ends.

    Raises:
        RequestError: There is no such shape.
    """
    from llmstep.bench.random_weights import write

    place = Path(tempfile.mkdtemp(prefix="llmstep-bench-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    write(config_of(name), place)
    return place


def config_of(name: str) -> Any:
    """The configuration of a shape.

    Raises:
        RequestError: There is no such shape.
    """
    if name not in SHAPES:
        raise RequestError(f"There is no shape {name}.", hint=f"Known are {', '.join(SHAPES)}.")
    return SHAPES[name]()


if __name__ == "__main__":
    from llmstep.bench.random_weights import write

    write(config_of(sys.argv[1]), Path(sys.argv[2]))
