"""GPT-NeoX, Llama, Mistral, Qwen2 and Qwen3 as a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmstep.decoder import arrays
from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.builder import Builder
from llmstep.decoder.compiled.caches import OwnCache, PromptCache
from llmstep.decoder.compiled.network import CompiledNetwork
from llmstep.decoder.compiled.parts import Angles, Heads, Norm
from llmstep.decoder.compiled.rowwise import ACTIVATIONS
from llmstep.decoder.interface import stop_if
from llmstep.decoder.network import common_length
from llmstep.decoder.rope import frequencies

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from llmstep.decoder.config import CausalConfig
    from llmstep.decoder.network import Source
    from llmstep.decoder.weights import Weight

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


@dataclass(frozen=True, eq=False)
class _Layer:
    """Weights of one block."""

    attention_norm: Norm
    query_key_value: Weight
    query_norm: Norm | None
    key_norm: Norm | None
    attention_out: Weight
    mlp_norm: Norm
    mlp_in: Weight
    mlp_out: Weight


class CompiledCausal(CompiledNetwork):
    """A decoder-only model; a `Network`.

    Args:
        floats: Whether all weights are float32; the keys and values of a prompt have 16 bits where they are not.
    """

    def __init__(self, config: CausalConfig, source: Source, *, floats: bool) -> None:
        self._config = config
        self._act = ACTIVATIONS[config.activation]
        table, base, final = (
            ("gpt_neox.embed_in", "gpt_neox.layers", "gpt_neox.final_layer_norm")
            if config.neox
            else ("model.embed_tokens", "model.layers", "model.norm")
        )
        embed = source.embedding([f"{table}.weight"], config.vocabulary, config.hidden)
        self._layers = [self._read_layer(source, f"{base}.{number}.", number) for number in range(config.layers)]
        last = self._norm(source, final, config.hidden)
        own = next((name for name in ("embed_out", "lm_head") if source.has(f"{name}.weight")), table)
        head = source.product("head", [own], config.vocabulary, config.hidden)
        self._frequencies, self._scaling = frequencies(config)
        program = p.Program()
        program.state[p.UNIT] = 4 if floats else 2
        widest = max(max(layer.query_key_value.outputs, layer.mlp_in.outputs) for layer in self._layers)
        attended = config.heads * config.width
        write = Builder(program, config.hidden, widest, attended, head.outputs, floats=floats)
        super().__init__(write, embed, source.shapes)
        count = config.layers
        self._prompt = PromptCache(program, count, config.key_heads, config.width, p.ROOM, p.LENGTH)
        self._own = OwnCache(program, count, config.key_heads, config.width, p.MOST, p.LONGEST, p.OWN)
        none = arrays.empty(0)
        self._angles = Angles(program.memory(none), program.memory(none), config.rotary // 2)
        self._reached = 0
        self._prompt_parts = [self._write(write, number, rows=False) for number in range(count)]
        start = len(program)
        for number in range(count):
            self._write(write, number, rows=True)
        self._head_part = len(program)
        write.norm(last)
        write.product(head, "logits")
        self._step_part = start, len(program)
        self.forget()

    def read(
        self, ids: list[int], prefix: list[int], rows: int, longest: int, cancel: Callable[[], bool]
    ) -> NDArray[np.float32]:
        state = self._state
        known = min(common_length(self._ids, ids), len(ids) - 1)  # the last one is read for its logits
        self._ids = ids[:known]
        self._begin(min(len(ids) - known, _CHUNK), rows)
        self._prompt.reserve(len(ids), known)
        self._reach(len(ids) + longest)
        for start in range(known, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            self._put(chunk)
            state[p.START], state[p.LENGTH] = start, start + len(chunk)
            for part in self._prompt_parts:
                stop_if(cancel)
                self._run(*part)
            self._ids = ids[: start + len(chunk)]
        self._own.begin(rows, longest)
        return self._last_logits()

    def _read_layer(self, source: Source, place: str, number: int) -> _Layer:
        """The block at a place of the files."""
        config = self._config
        attended, keys = config.heads * config.width, config.key_heads * config.width
        shapes = {
            "query_key_value": (attended + 2 * keys, config.hidden),
            "attention_out": (config.hidden, attended),
            "mlp_in": (config.inner if config.neox else 2 * config.inner, config.hidden),
            "mlp_out": (config.hidden, config.inner),
        }
        products = {
            name: source.product(f"{number}.{name}", [place + part for part in parts], *shapes[name])
            for name, parts in (_NEOX_PARTS if config.neox else _PARTS).items()
        }
        normed = source.has(f"{place}self_attn.q_norm.weight")
        return _Layer(
            attention_norm=self._norm(source, place + "input_layernorm", config.hidden),
            query_norm=self._norm(source, place + "self_attn.q_norm", config.width) if normed else None,
            key_norm=self._norm(source, place + "self_attn.k_norm", config.width) if normed else None,
            mlp_norm=self._norm(source, place + "post_attention_layernorm", config.hidden),
            **products,
        )

    def _norm(self, source: Source, name: str, width: int) -> Norm:
        bias = source.vector(f"{name}.bias", width) if source.has(f"{name}.bias") else None
        return Norm(source.vector(f"{name}.weight", width), bias, self._config.epsilon)

    def _write(self, write: Builder, number: int, *, rows: bool) -> tuple[int, int]:
        """One layer."""
        layer, parallel = self._layers[number], self._config.parallel
        heads, cache = self._heads(layer), self._prompt.layers[number]
        start = len(write.program)
        write.norm(layer.attention_norm)
        write.product(layer.query_key_value, "wide")
        if rows:
            write.attend_rows(heads, cache, self._own.layers[number], self._angles)
        else:
            write.store(heads, cache, self._angles)
            write.attend(heads, cache, self._angles, causal=True)
        if parallel:  # the MLP reads what the attention has not been added to
            write.norm(layer.mlp_norm, into=write.kept)
        write.quantize("attended", layer.attention_out.inputs)
        write.product(layer.attention_out, "hidden")
        if not parallel:
            write.norm(layer.mlp_norm)
        write.product(layer.mlp_in, "wide", read=write.kept if parallel else None)
        write.quantize("wide", layer.mlp_out.inputs, activation=self._act, gated=not self._config.neox)
        write.product(layer.mlp_out, "hidden")
        return start, len(write.program)

    def _heads(self, layer: _Layer) -> Heads:
        config = self._config
        width = config.width
        if config.neox:  # queries, keys and values are next to each other head by head
            places = ((0, 3 * width), (width, 3 * width), (2 * width, 3 * width))
        else:
            keys = config.heads * width
            places = ((0, width), (keys, width), (keys + config.key_heads * width, width))
        return Heads(config.heads, config.key_heads, width, *places, width**-0.5, layer.query_norm, layer.key_norm)

    def _reach(self, positions: int) -> None:
        """Have rotations for so many positions, [positions, half]."""
        if positions <= self._reached:
            return
        self._reached = max(positions, 2 * self._reached)
        angles = np.arange(self._reached, dtype=np.float32)[:, None] * self._frequencies
        program = self._program
        program.replace(self._angles.cos, np.cos(angles) * np.float32(self._scaling))
        program.replace(self._angles.sin, np.sin(angles) * np.float32(self._scaling))
