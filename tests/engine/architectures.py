"""Tiny random models of every architecture that is decoded without `generate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiny_models import byt5_config

if TYPE_CHECKING:
    from collections.abc import Callable

VOCABULARY = 384


def make(name: str) -> Any:
    """A model in float32 and evaluation mode: two layers, width 64, weights large enough for distinct answers."""
    import torch
    import transformers as t

    common = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
    wide = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
    grouped = {**wide, "num_key_value_heads": 2, "max_position_embeddings": 700, "initializer_range": 0.2}
    t5 = {**common, "d_model": 64, "d_kv": 16, "d_ff": 96, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0}
    neox = {**common, **wide, "max_position_embeddings": 700, "initializer_range": 0.2}
    makers: dict[str, Callable[[], Any]] = {
        "gpt2": lambda: t.GPT2LMHeadModel(
            t.GPT2Config(**common, n_embd=64, n_layer=2, n_head=4, n_positions=700, initializer_range=0.2)
        ),
        "neox": lambda: t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**neox)),
        "neox-serial": lambda: t.GPTNeoXForCausalLM(
            t.GPTNeoXConfig(**neox, use_parallel_residual=False, attention_bias=False, tie_word_embeddings=True)
        ),
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**common, **grouped)),
        "llama-rope": lambda: t.LlamaForCausalLM(
            t.LlamaConfig(
                **common,
                **grouped,
                attention_bias=True,
                mlp_bias=True,
                rope_parameters={
                    "rope_type": "llama3",
                    "rope_theta": 10000.0,
                    "factor": 8.0,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 64,
                },
            )
        ),
        "mistral": lambda: t.MistralForCausalLM(t.MistralConfig(**common, **grouped, sliding_window=None)),
        "phi": lambda: t.PhiForCausalLM(t.PhiConfig(**common, **grouped)),
        "qwen2": lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**common, **grouped)),
        "qwen3": lambda: t.Qwen3ForCausalLM(t.Qwen3Config(**common, **grouped, head_dim=24)),
        "bart": lambda: t.BartForConditionalGeneration(
            t.BartConfig(
                **common,
                d_model=64,
                encoder_layers=2,
                decoder_layers=2,
                encoder_attention_heads=4,
                decoder_attention_heads=4,
                encoder_ffn_dim=96,
                decoder_ffn_dim=96,
                max_position_embeddings=700,
                init_std=0.2,
                decoder_start_token_id=0,
                forced_eos_token_id=None,
            )
        ),
        "t5": lambda: t.T5ForConditionalGeneration(t.T5Config(**t5)),
        "byt5": lambda: t.T5ForConditionalGeneration(byt5_config(bos_token_id=0)),
        "mt5": lambda: t.MT5ForConditionalGeneration(t.MT5Config(**t5)),
    }
    torch.manual_seed(sum(map(ord, name)))
    model = makers[name]().eval().requires_grad_(False)
    for parameter in model.parameters():  # T5 starts with weights that repeat one token for ever; biases start as zeros
        if parameter.dim() == 1:
            parameter.add_(torch.randn_like(parameter) * 0.2)
    if name.endswith("t5"):
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.3, requires_grad=False)
    return model


ALL = (
    "gpt2",
    "neox",
    "neox-serial",
    "llama",
    "llama-rope",
    "mistral",
    "phi",
    "qwen2",
    "qwen3",
    "bart",
    "t5",
    "byt5",
    "mt5",
)
