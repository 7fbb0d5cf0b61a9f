"""A new small network with its tokenizer, in a folder from which it can be fine-tuned as any other model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from llmstep.catalog.files import HINTS
from llmstep.catalog.templates import get_template
from llmstep.training.pairs import answer_text, read_pairs
from starter.tokenizer import train_tokenizer

_SAMPLE = 40_000
"""About so many pairs make the tokenizer."""


@attrs.frozen(kw_only=True)
class Shape:
    """Sizes of a GPT-NeoX."""

    hidden: int = 192
    """Width of the residual stream."""
    layers: int = 4
    heads: int = 6
    feed_forward: int = 768
    """Width of the inner layer of the feed-forward blocks."""
    vocabulary: int = 640
    """Tokens of the byte-level BPE; at least 300."""
    positions: int = 2048
    """Longest input in tokens."""


def make_base(folder: Path, pairs: Path, shape: Shape, *, template: str = "starter", seed: int = 1) -> None:
    """Writes a model with random weights, and a tokenizer made for a file of pairs.

    Args:
        template: The prompt template that it is for.
        seed: Of the weights.
    """
    from transformers import set_seed

    set_seed(seed)
    prompts = get_template(template)
    known = read_pairs(pairs)
    asked = [(each.prompt_input(), each.tactic) for each in known[:: max(1, len(known) // _SAMPLE)]]
    texts = (text for ask, tactic in asked for text in (prompts.prompt(ask), answer_text(prompts, ask, tactic)))
    tokenizer = train_tokenizer(texts, shape.vocabulary)
    new_model(shape, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / HINTS).write_text(json.dumps({"template": template}) + "\n", encoding="utf-8")


def new_model(shape: Shape, tokenizer: Any) -> Any:
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
