"""Models with the true shape of a published one and random weights, for figures where the real one is not at hand.

How long a step takes does not depend on what the weights say; how long an answer is does, so that the number of tokens
is fixed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from llmstep.engine.loaded import LoadedModel, Plan
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


def _small() -> Any:
    from transformers import GPTNeoXConfig

    return GPTNeoXConfig(
        vocab_size=384, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256
    )


SHAPES: dict[str, Callable[[], Any]] = {
    "byt5-300m-shape": _byt5_300m,
    "pythia-2.8b-shape": _pythia_2b8,
    "tiny-shape": _small,
}


def make(name: str) -> LoadedModel:
    """A model of a shape, in float32 on the CPU, without a network; its tokens are bytes for whatever reads them.

    Raises:
        RequestError: There is no such shape.
    """
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, ByT5Tokenizer
    from transformers.initialization import no_init_weights

    from llmstep.engine.device import Placement

    if name not in SHAPES:
        raise RequestError(f"There is no shape {name}.", hint=f"Known are {', '.join(SHAPES)}.")
    config = SHAPES[name]()
    family = "seq2seq" if config.is_encoder_decoder else "causal"
    auto = AutoModelForSeq2SeqLM if family == "seq2seq" else AutoModelForCausalLM
    with no_init_weights():
        model = auto.from_config(config, dtype=torch.float32).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter.fill_(1.0)
        else:
            parameter.uniform_(-0.04, 0.04, generator=generator)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    plan = Plan(
        name=name,
        folder=Path(),
        config=config,
        family=family,
        placement=Placement("cpu", "float32"),
        parameters=parameters,
        weight_bytes=4 * parameters,
        trust_remote_code=False,
    )
    return LoadedModel(
        plan=plan,
        model=model,
        tokenizer=ByT5Tokenizer(),
        end_ids=frozenset(),
        pad_id=0,
        start_id=0 if family == "seq2seq" else None,
        positions=None,
    )
