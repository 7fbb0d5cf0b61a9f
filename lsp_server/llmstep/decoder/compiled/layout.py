"""Reads the parts of a network by the names that transformers gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmstep.decoder.compiled.parts import Block, Cross, Encoder, Heads, Model, Norm
from llmstep.decoder.compiled.positions import Angles, Distances
from llmstep.decoder.compiled.rowwise import ACTIVATIONS
from llmstep.decoder.config import Config
from llmstep.decoder.rope import frequencies
from llmstep.decoder.source import Source


@dataclass(frozen=True)
class Names:
    """Where a block has its parts; linear layers with the same input are one product here."""

    norm: str
    query_key_value: tuple[str, ...]
    attention_out: str
    mlp_norm: str
    mlp_in: tuple[str, ...]
    mlp_out: str


_NEOX = Names(
    norm="input_layernorm",
    query_key_value=("attention.query_key_value",),
    attention_out="attention.dense",
    mlp_norm="post_attention_layernorm",
    mlp_in=("mlp.dense_h_to_4h",),
    mlp_out="mlp.dense_4h_to_h",
)
_LLAMA = Names(
    norm="input_layernorm",
    query_key_value=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    attention_out="self_attn.o_proj",
    mlp_norm="post_attention_layernorm",
    mlp_in=("mlp.gate_proj", "mlp.up_proj"),
    mlp_out="mlp.down_proj",
)


def read(config: Config, source: Source, start_id: int | None) -> Model:
    """All of a network.

    Args:
        start_id: First token of an encoder-decoder model's decoder.

    Raises:
        DamagedError: Something is missing, or has another shape.
        StoppedError: The source's `cancel` says so.
    """
    return _causal(config, source) if start_id is None else _encoder_decoder(config, source, start_id)


def _causal(config: Config, source: Source) -> Model:
    table, base, final, names = (
        ("gpt_neox.embed_in", "gpt_neox.layers", "gpt_neox.final_layer_norm", _NEOX)
        if config.neox
        else ("model.embed_tokens", "model.layers", "model.norm", _LLAMA)
    )
    embed = source.embedding([f"{table}.weight"], config.vocabulary, config.hidden)
    blocks = [_block(source, config, names, f"{base}.{i}.", f"{i}.") for i in range(config.layers)]
    norm = _norm(source, final, config.hidden)
    _head(source, config, ("embed_out", "lm_head", table))
    return Model(embed, blocks, norm, Angles(*frequencies(config)), config.epsilon, source.products)


def _encoder_decoder(config: Config, source: Source, start_id: int) -> Model:
    hidden, inner = config.hidden, config.heads * config.width
    tables = ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]
    embed = source.embedding(tables, config.vocabulary, hidden)
    encoder = [_t5_block(source, config, "encoder", number) for number in range(config.encoder_layers)]
    decoder = [_t5_block(source, config, "decoder", number) for number in range(config.layers)]
    keys = [f"decoder.block.{number}.layer.1.EncDecAttention.{part}" for number in range(len(decoder)) for part in "kv"]
    cross = source.product("cross", keys, len(keys) * inner, hidden)
    _head(source, config, ("lm_head", "shared"))

    def end(side: str) -> tuple[Distances, Norm]:
        name = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        biases = source.vector(name, config.heads)
        distances = Distances(biases, config.max_distance, bidirectional=side == "encoder")
        return distances, _norm(source, f"{side}.final_layer_norm", hidden)

    (inputs, input_norm), (places, norm) = end("encoder"), end("decoder")
    if config.scaled:
        norm = Norm(norm.weight * hidden**-0.5, None)
    reader = Encoder(encoder, input_norm, inputs, cross, start_id)
    return Model(embed, decoder, norm, places, config.epsilon, source.products, reader)


def _t5_block(source: Source, config: Config, side: str, number: int) -> Block:
    """A layer of the encoder or decoder."""
    place, name, cross = f"{side}.block.{number}.layer.", f"{side}.{number}.", None
    if side == "decoder":
        hidden, inner, parts = config.hidden, config.heads * config.width, f"{place}1.EncDecAttention."
        query = source.product(f"{name}cross_query", [f"{parts}q"], inner, hidden)
        out = source.product(f"{name}cross_out", [f"{parts}o"], hidden, inner)
        cross = Cross(_norm(source, f"{place}1.layer_norm", hidden), query, out)
    last = "1." if cross is None else "2."
    mlp = f"{last}DenseReluDense."
    names = Names(
        norm="0.layer_norm",
        query_key_value=("0.SelfAttention.q", "0.SelfAttention.k", "0.SelfAttention.v"),
        attention_out="0.SelfAttention.o",
        mlp_norm=f"{last}layer_norm",
        mlp_in=(f"{mlp}wi_0", f"{mlp}wi_1") if config.gated else (f"{mlp}wi",),
        mlp_out=f"{mlp}wo",
    )
    return _block(source, config, names, place, name, cross)


def _block(source: Source, config: Config, names: Names, place: str, name: str, cross: Cross | None = None) -> Block:
    """The block at a place of the files, and the beginning of its products' names in the network."""
    hidden, width = config.hidden, config.width
    attended, keys = config.heads * width, config.key_heads * width
    shapes = {
        "query_key_value": (attended + 2 * keys, hidden),
        "attention_out": (hidden, attended),
        "mlp_in": ((1 + config.gated) * config.inner, hidden),
        "mlp_out": (hidden, config.inner),
    }
    products: dict[str, Any] = {}
    for part, shape in shapes.items():
        found = getattr(names, part)
        parts = [place + each for each in ([found] if isinstance(found, str) else found)]
        products[part] = source.product(name + part, parts, *shape)
    if config.neox:  # queries, keys and values are next to each other head by head
        places = ((0, 3 * width), (width, 3 * width), (2 * width, 3 * width))
    else:
        places = ((0, width), (attended, width), (attended + keys, width))
    own = [f"{place}self_attn.{part}_norm" for part in "qk"]
    norms = [_norm(source, each, width) if source.has(f"{each}.weight") else None for each in own]
    scale = 1.0 if config.encoder_layers else width**-0.5
    return Block(
        heads=Heads(config.heads, config.key_heads, width, *places, scale, *norms),
        norm=_norm(source, place + names.norm, hidden),
        mlp_norm=_norm(source, place + names.mlp_norm, hidden),
        activation=ACTIVATIONS[config.activation],
        gated=config.gated,
        parallel=config.parallel,
        cross=cross,
        **products,
    )


def _head(source: Source, config: Config, names: tuple[str, ...]) -> None:
    """The last product, under the first of several names that is there."""
    found = next((name for name in names if source.has(f"{name}.weight")), names[-1])
    source.product("head", [found], config.vocabulary, config.hidden)


def _norm(source: Source, name: str, width: int) -> Norm:
    """The norm of a name; one without a bias is an RMS norm."""
    bias = source.vector(f"{name}.bias", width) if source.has(f"{name}.bias") else None
    return Norm(source.vector(f"{name}.weight", width), bias)
