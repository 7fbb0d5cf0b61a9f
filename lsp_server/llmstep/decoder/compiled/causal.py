"""GPT-NeoX, Llama, Mistral, Qwen2 and Qwen3 as a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import arrays
from llmstep.decoder.compiled.network import CompiledNetwork, read_norm
from llmstep.decoder.compiled.parts import Angles, Block, Heads
from llmstep.decoder.compiled.rowwise import ACTIVATIONS
from llmstep.decoder.network import common_length
from llmstep.decoder.rope import frequencies

if TYPE_CHECKING:
    from llmstep.decoder.config import CausalConfig
    from llmstep.decoder.source import Source

_CHUNK = 256
"""Tokens of a prompt that are read at once; each needs a row of the memory between products."""
_NEOX_PARTS = {
    "query_key_value": ["attention.query_key_value"],
    "attention_out": ["attention.dense"],
    "mlp_in": ["mlp.dense_h_to_4h"],
    "mlp_out": ["mlp.dense_4h_to_h"],
}
_PARTS = {
    "query_key_value": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "attention_out": ["self_attn.o_proj"],
    "mlp_in": ["mlp.gate_proj", "mlp.up_proj"],
    "mlp_out": ["mlp.down_proj"],
}
"""Linear layers of a block with the same input, by what their product is called here; `_PARTS` are those of Llama."""


class CompiledCausal(CompiledNetwork):
    """A decoder-only model; a `Network`. See `CompiledNetwork` for `floats`."""

    def __init__(self, config: CausalConfig, source: Source, *, floats: bool) -> None:
        table, base, final = (
            ("gpt_neox.embed_in", "gpt_neox.layers", "gpt_neox.final_layer_norm")
            if config.neox
            else ("model.embed_tokens", "model.layers", "model.norm")
        )
        embed = source.embedding([f"{table}.weight"], config.vocabulary, config.hidden)
        blocks = [_read_block(source, config, f"{base}.{number}.", number) for number in range(config.layers)]
        last = read_norm(source, final, config.hidden, config.epsilon)
        own = next((name for name in ("embed_out", "lm_head") if source.has(f"{name}.weight")), table)
        source.product("head", [own], config.vocabulary, config.hidden)
        super().__init__(source, embed, blocks, floats=floats)
        self._frequencies, self._scaling = frequencies(config)
        none = arrays.empty(0)
        self._angles = Angles(self._program.memory(none), self._program.memory(none), config.rotary // 2)
        self._angles_capacity = 0
        self._write(blocks, last, self._angles)

    def read(
        self, ids: list[int], prefix: list[int], rows: int, max_tokens: int, cancel: Callable[[], bool]
    ) -> NDArray[np.float32]:
        known = min(common_length(self._ids, ids), len(ids) - 1)  # the last one is read for its logits
        self._ids = ids[:known]
        self._begin(min(len(ids) - known, _CHUNK), rows)
        self._prompt.reserve(len(ids), known)
        self._reserve_angles(len(ids) + max_tokens)
        for start in range(known, len(ids), _CHUNK):
            self._read(ids[start : start + _CHUNK], start, cancel)
            self._ids = ids[: start + _CHUNK]
        self._own.begin(rows, max_tokens)
        return self._last_logits()

    def _reserve_angles(self, positions: int) -> None:
        """Have rotations for so many positions, [positions, half]."""
        if positions <= self._angles_capacity:
            return
        self._angles_capacity = max(positions, 2 * self._angles_capacity)
        angles = np.arange(self._angles_capacity, dtype=np.float32)[:, None] * self._frequencies
        self._program.replace(self._angles.cos, np.cos(angles) * np.float32(self._scaling))
        self._program.replace(self._angles.sin, np.sin(angles) * np.float32(self._scaling))


def _read_block(source: Source, config: CausalConfig, place: str, number: int) -> Block:
    """The block at a place of the files."""
    hidden, width = config.hidden, config.width
    attended, keys = config.heads * width, config.key_heads * width
    shapes = {
        "query_key_value": (attended + 2 * keys, hidden),
        "attention_out": (hidden, attended),
        "mlp_in": (config.inner if config.neox else 2 * config.inner, hidden),
        "mlp_out": (hidden, config.inner),
    }
    products: dict[str, Any] = {
        name: source.product(f"{number}.{name}", [place + part for part in parts], *shapes[name])
        for name, parts in (_NEOX_PARTS if config.neox else _PARTS).items()
    }
    if config.neox:  # queries, keys and values are next to each other head by head
        places = ((0, 3 * width), (width, 3 * width), (2 * width, 3 * width))
    else:
        places = ((0, width), (attended, width), (attended + keys, width))
    norms = [
        read_norm(source, f"{place}self_attn.{part}_norm", width, config.epsilon)
        if source.has(f"{place}self_attn.{part}_norm.weight")
        else None
        for part in "qk"
    ]
    return Block(
        heads=Heads(config.heads, config.key_heads, width, *places, width**-0.5, *norms),
        norm=read_norm(source, f"{place}input_layernorm", hidden, config.epsilon),
        mlp_norm=read_norm(source, f"{place}post_attention_layernorm", hidden, config.epsilon),
        activation=ACTIVATIONS[config.activation],
        parallel=config.parallel,
        **products,
    )
