"""Tiny models of the catalog's architectures with random weights, and their tokenizers.

Whoever makes one sets the seed first. Heavy imports stand inside the functions, so that tests without a model do not
pay for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from transformers import GPTNeoXForCausalLM, LlamaForCausalLM, PreTrainedTokenizerFast, T5Config

BYT5_VOCABULARY = 384
"""ByT5's tokenizer: three special tokens, 256 bytes, 125 that nothing becomes."""
DECODER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "initializer_range": 0.3,
}
"""Sizes of a model without an encoder; its weights are large enough for answers that depend on the question."""


def byt5_config(**changes: Any) -> T5Config:
    """ByT5's shape: gated feed-forward, an output layer of its own, an encoder that is deeper than the decoder."""
    from transformers import T5Config

    sizes = {"d_model": 64, "d_kv": 16, "d_ff": 96, "num_layers": 3, "num_decoder_layers": 2, "num_heads": 4}
    ends = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
    shape = {"vocab_size": BYT5_VOCABULARY, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    return T5Config(**{**shape, **sizes, **ends, **changes})


def neox(**changes: Any) -> GPTNeoXForCausalLM:
    """A GPT-NeoX of the sizes of `DECODER`, for ByT5's tokenizer unless changed."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    return GPTNeoXForCausalLM(GPTNeoXConfig(**{"vocab_size": BYT5_VOCABULARY, "eos_token_id": 1, **DECODER, **changes}))


def llama(**changes: Any) -> LlamaForCausalLM:
    """A Llama of the sizes of `DECODER`, for ByT5's tokenizer unless changed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**{"vocab_size": BYT5_VOCABULARY, "eos_token_id": 1, **DECODER, **changes}))


def byte_level_tokenizer(texts: Iterable[str], size: int, special: list[str], **tokens: str) -> PreTrainedTokenizerFast:
    """Byte-level BPE as GPT-NeoX has it; unlike ByT5's tokenizer it puts nothing behind a text.

    Args:
        texts: What the merges are learned from; with none, every token is a byte.
        size: Number of tokens: the special ones, 256 bytes, and merges.
        special: The first tokens.
        tokens: Which of them are `pad_token`, `eos_token` and so on.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens)


def saved(model: Any, folder: Path, tokenizer: Any = None) -> Path:
    """The folder, with the model and its tokenizer in it: ByT5's when none is given."""
    from transformers import ByT5Tokenizer

    model.save_pretrained(folder)
    (ByT5Tokenizer() if tokenizer is None else tokenizer).save_pretrained(folder)
    return folder
