"""The parts of a network, read by the names that transformers gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.config import Config
from llmstep.decoder.positions import Angles, Distances
from llmstep.decoder.source import Embedding, Source
from llmstep.decoder.weights import Weight

Names = Mapping[str, tuple[str, ...]]
"""Where a block has its parts, by the fields of `Block`; linear layers with the same input are one product here."""
_NEOX: Names = {
    "norm": ("input_layernorm",),
    "query_key_value": ("attention.query_key_value",),
    "attention_out": ("attention.dense",),
    "mlp_norm": ("post_attention_layernorm",),
    "mlp_in": ("mlp.dense_h_to_4h",),
    "mlp_out": ("mlp.dense_4h_to_h",),
}
_LLAMA: Names = {
    "norm": ("input_layernorm",),
    "query_key_value": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "query_norm": ("self_attn.q_norm",),
    "key_norm": ("self_attn.k_norm",),
    "attention_out": ("self_attn.o_proj",),
    "mlp_norm": ("post_attention_layernorm",),
    "mlp_in": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp_out": ("mlp.down_proj",),
}


@dataclass(frozen=True, eq=False)
class Norm:
    """A layer norm, or an RMS norm where there is no bias."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class Block:
    """One layer of a transformer."""

    norm: Norm
    query_key_value: Weight
    attention_out: Weight
    mlp_norm: Norm
    mlp_in: Weight
    mlp_out: Weight
    query_norm: Norm | None = None
    key_norm: Norm | None = None
    cross_norm: Norm | None = None
    """That and the following: the attention of a decoder's layer to the encoder."""
    cross_query: Weight | None = None
    cross_out: Weight | None = None


@dataclass(frozen=True, eq=False)
class Encoder:
    """The side of an encoder-decoder model that reads the input."""

    blocks: Sequence[Block]
    norm: Norm
    positions: Distances
    cross: Weight
    """Keys and values of all the decoder's layers, [layers x 2 x heads x width]."""
    start_id: int
    """First token of the decoder."""


@dataclass(frozen=True, eq=False)
class Model:
    """A whole network."""

    config: Config
    embed: Embedding
    blocks: Sequence[Block]
    """Those that samples go through."""
    norm: Norm
    positions: Angles | Distances
    products: Mapping[str, Weight]
    """All of them by name; the last one is the `head`."""
    encoder: Encoder | None = None


def read(config: Config, source: Source, start_id: int | None) -> Model:
    """All of a network; `start_id` is the first token of an encoder-decoder model's decoder.

    Raises:
        DamagedError, StoppedError: As `Source.product`.
    """
    return _causal(config, source) if start_id is None else _encoder_decoder(config, source, start_id)


def _causal(config: Config, source: Source) -> Model:
    table, base, final, names = (
        ("gpt_neox.embed_in", "gpt_neox.layers", "gpt_neox.final_layer_norm", _NEOX)
        if config.neox
        else ("model.embed_tokens", "model.layers", "model.norm", _LLAMA)
    )
    embed = _embedding(source, config, table)
    blocks = [_block(source, config, names, f"{base}.{i}.", f"{i}.") for i in range(config.layers)]
    norm = _norm(source, final, config.hidden)
    _head(source, config, "embed_out", "lm_head", table)
    return Model(config, embed, blocks, norm, Angles.of(config), source.products)


def _encoder_decoder(config: Config, source: Source, start_id: int) -> Model:
    hidden, inner = config.hidden, config.heads * config.width
    embed = _embedding(source, config, "shared", "encoder.embed_tokens", "decoder.embed_tokens")

    def side(name: str, layers: int) -> tuple[list[Block], Norm, Distances]:
        places = ((f"{name}.block.{number}.layer.", f"{name}.{number}.") for number in range(layers))
        blocks = [_block(source, config, _t5(config, name == "decoder"), *place) for place in places]
        bias = f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        numbers = source.model.tensor(bias, (0, config.heads)).read()
        distances = Distances(numbers, config.max_distance, bidirectional=name == "encoder")
        return blocks, _norm(source, f"{name}.final_layer_norm", hidden), distances

    encoder = side("encoder", config.encoder_layers)
    blocks, norm, distances = side("decoder", config.layers)
    keys = [
        f"decoder.block.{number}.layer.1.EncDecAttention.{part}" for number in range(config.layers) for part in "kv"
    ]
    cross = source.product("cross", keys, len(keys) * inner, hidden)
    _head(source, config, "lm_head", "shared")
    if config.scaled:
        norm = Norm(norm.weight * hidden**-0.5, None)
    return Model(config, embed, blocks, norm, distances, source.products, Encoder(*encoder, cross, start_id))


def _t5(config: Config, crossed: bool) -> Names:
    """Names in a block of T5, whose attention to the encoder is its second of three parts."""
    last = "2." if crossed else "1."
    mlp = f"{last}DenseReluDense."
    names: dict[str, tuple[str, ...]] = {
        "norm": ("0.layer_norm",),
        "query_key_value": ("0.SelfAttention.q", "0.SelfAttention.k", "0.SelfAttention.v"),
        "attention_out": ("0.SelfAttention.o",),
        "mlp_norm": (f"{last}layer_norm",),
        "mlp_in": (f"{mlp}wi_0", f"{mlp}wi_1") if config.gated else (f"{mlp}wi",),
        "mlp_out": (f"{mlp}wo",),
    }
    cross = {"cross_norm": "1.layer_norm", "cross_query": "1.EncDecAttention.q", "cross_out": "1.EncDecAttention.o"}
    return names | {part: (name,) for part, name in cross.items()} if crossed else names


def _block(source: Source, config: Config, names: Names, place: str, name: str) -> Block:
    """The block at a place of the files, and the beginning of its products' names in the network."""
    hidden, attended = config.hidden, config.heads * config.width
    shapes = {
        "query_key_value": (attended + 2 * config.key_heads * config.width, hidden),
        "attention_out": (hidden, attended),
        "mlp_in": ((1 + config.gated) * config.inner, hidden),
        "mlp_out": (hidden, config.inner),
        "cross_query": (attended, hidden),
        "cross_out": (hidden, attended),
    }
    parts: dict[str, Any] = {}
    for part, found in names.items():
        places = [place + each for each in found]
        if part in shapes:
            parts[part] = source.product(name + part, places, *shapes[part])
        elif part not in ("query_norm", "key_norm"):
            parts[part] = _norm(source, places[0], hidden)
        elif f"{places[0]}.weight" in source.model.tensors:
            parts[part] = _norm(source, places[0], config.width)
    return Block(**parts)


def _embedding(source: Source, config: Config, *names: str) -> Embedding:
    name = f"{_first(source, names)}.weight"
    return Embedding(source.model.tensor(name, (config.vocabulary, config.hidden)))


def _head(source: Source, config: Config, *names: str) -> None:
    """The last product."""
    source.product("head", [_first(source, names)], config.vocabulary, config.hidden)


def _first(source: Source, names: Sequence[str]) -> str:
    """The first of several names that is there."""
    return next((name for name in names if f"{name}.weight" in source.model.tensors), names[0])


def _norm(source: Source, name: str, width: int) -> Norm:
    """The norm of a name; one without a bias is an RMS norm, but a layer norm in GPT-NeoX."""
    model, bias = source.model, f"{name}.bias"
    moves = np.zeros(width, np.float32) if model.config.neox else None
    if bias in model.tensors:
        moves = model.tensor(bias, (width,)).read()
    return Norm(model.tensor(f"{name}.weight", (width,)).read(), moves)
