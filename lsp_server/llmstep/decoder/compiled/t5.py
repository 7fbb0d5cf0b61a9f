"""T5 and ByT5 as a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstep.decoder import arrays
from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.builder import Builder
from llmstep.decoder.compiled.caches import OwnCache, PromptCache
from llmstep.decoder.compiled.distances import Distances
from llmstep.decoder.compiled.network import CompiledNetwork
from llmstep.decoder.compiled.parts import Angles, Heads, Norm
from llmstep.decoder.compiled.rowwise import ACTIVATIONS
from llmstep.decoder.interface import stop_if

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from llmstep.decoder.config import T5Config
    from llmstep.decoder.network import Source
    from llmstep.decoder.weights import Weight

_NOT_ROTATED = Angles()


@dataclass(frozen=True, eq=False)
class _Block:
    """One layer of the encoder, or of the decoder with its attention to the encoder."""

    norm: Norm
    query_key_value: Weight
    out: Weight
    mlp_norm: Norm
    mlp_in: Weight
    mlp_out: Weight
    cross_norm: Norm | None = None
    cross_query: Weight | None = None
    cross_out: Weight | None = None


class CompiledT5(CompiledNetwork):
    """An encoder-decoder model; a `Network`.

    Args:
        start_id: First token of the decoder.
        floats: Whether all weights are float32; the keys and values of a prompt have 16 bits where they are not.
    """

    def __init__(self, config: T5Config, source: Source, start_id: int, *, floats: bool) -> None:
        self._config, self._start_id = config, start_id
        self._act = ACTIVATIONS[config.activation]
        names = ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]
        embed = source.embedding(names, config.vocabulary, config.hidden)
        encoder = [self._read(source, f"encoder.block.{i}.", f"encoder.{i}.") for i in range(config.encoder_layers)]
        decoder = [self._read(source, f"decoder.block.{i}.", f"decoder.{i}.") for i in range(config.decoder_layers)]
        keys = [f"decoder.block.{i}.layer.1.EncDecAttention.{part}" for i in range(len(decoder)) for part in "kv"]
        # Keys and values of all the decoder's layers in one product, [layers x 2 x heads x width].
        inner = config.heads * config.width
        cross = source.product("cross", keys, len(keys) * inner, config.hidden)
        own_head = source.has("lm_head.weight")
        head = source.product("head", ["lm_head" if own_head else "shared"], config.vocabulary, config.hidden)
        self._biases_of = [
            Distances(
                source.vector(f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", config.heads),
                config.longest,
                bidirectional=side == "encoder",
            )
            for side in ("encoder", "decoder")
        ]
        program = p.Program()
        program.state[p.UNIT] = 4 if floats else 2
        heads, width, layers = config.heads, config.width, len(decoder)
        widest = max(cross.outputs, *(max(each.mlp_in.outputs, 3 * inner) for each in (*encoder, *decoder)))
        write = Builder(program, config.hidden, widest, inner, head.outputs, floats=floats)
        self._self = Heads(heads, heads, width, (0, width), (inner, width), (2 * inner, width))
        super().__init__(write, embed, source.shapes)
        self._input = PromptCache(program, 1, heads, width, p.INPUT_ROOM, p.INPUT)
        self._cross = PromptCache(program, layers, heads, width, p.CROSS_ROOM, p.CROSS)
        self._prefix = PromptCache(program, layers, heads, width, p.ROOM, p.LENGTH)
        self._own = OwnCache(program, layers, heads, width, p.MOST, p.LONGEST, p.OWN)
        self._biases = [program.memory(arrays.empty(0)) for _ in range(2)]
        self._encoder_parts = self._write_encoder(write, encoder, self._norm(source, "encoder.final_layer_norm"), cross)
        self._prefix_parts = [self._write_decoder(write, n, each, rows=False) for n, each in enumerate(decoder)]
        start = len(program)
        for number, each in enumerate(decoder):
            self._write_decoder(write, number, each, rows=True)
        self._head_part = len(program)
        last = self._norm(source, "decoder.final_layer_norm")
        write.norm(Norm(last.weight * config.hidden**-0.5, None, config.epsilon) if config.scaled else last)
        write.product(head, "logits")
        self._step_part = start, len(program)
        self.forget()

    def read(
        self, ids: list[int], prefix: list[int], rows: int, longest: int, cancel: Callable[[], bool]
    ) -> NDArray[np.float32]:
        state = self._state
        if ids != self._ids:
            self._ids = []
            self._encode(ids, cancel)
            self._ids = ids
        stop_if(cancel)
        begun = [self._start_id, *prefix]
        self._begin(len(begun), rows)
        self._prefix.reserve(len(begun))
        self._reach(1, p.REACH, len(begun) + longest)
        self._put(begun)
        state[p.START], state[p.LENGTH] = 0, len(begun)
        for part in self._prefix_parts:
            stop_if(cancel)
            self._run(*part)
        self._own.begin(rows, longest)
        return self._last_logits()

    def _encode(self, ids: list[int], cancel: Callable[[], bool]) -> None:
        state = self._state
        self._begin(len(ids), 1)
        self._input.reserve(len(ids))
        self._cross.reserve(len(ids))
        self._reach(0, p.INPUT_REACH, len(ids))
        state[p.START], state[p.INPUT], state[p.CROSS] = 0, len(ids), len(ids)
        self._put(ids)
        for part in self._encoder_parts:
            stop_if(cancel)
            self._run(*part)

    def _reach(self, side: int, state: int, reach: int) -> None:
        """Have the biases for so long texts."""
        program = self._program
        if reach > program.state[state]:
            reach = max(64, reach, 2 * int(program.state[state]))
            program.replace(self._biases[side], self._biases_of[side].table(reach))
            program.state[state] = reach

    def _read(self, source: Source, place: str, name: str) -> _Block:
        """The block at a place of the files."""
        own, cross = place + "layer.0.SelfAttention.", place + "layer.1.EncDecAttention."
        decodes = name.startswith("decoder")
        last = place + ("layer.2." if decodes else "layer.1.")
        dense = last + "DenseReluDense."
        parts = ["wi_0", "wi_1"] if self._config.gated else ["wi"]
        hidden, inner, wide = self._config.hidden, self._config.heads * self._config.width, self._config.inner
        return _Block(
            norm=self._norm(source, place + "layer.0.layer_norm"),
            query_key_value=source.product(name + "query_key_value", [own + part for part in "qkv"], 3 * inner, hidden),
            out=source.product(name + "attention_out", [own + "o"], hidden, inner),
            mlp_norm=self._norm(source, last + "layer_norm"),
            mlp_in=source.product(name + "mlp_in", [dense + part for part in parts], len(parts) * wide, hidden),
            mlp_out=source.product(name + "mlp_out", [dense + "wo"], hidden, wide),
            cross_norm=self._norm(source, place + "layer.1.layer_norm") if decodes else None,
            cross_query=source.product(name + "cross_query", [cross + "q"], inner, hidden) if decodes else None,
            cross_out=source.product(name + "cross_out", [cross + "o"], hidden, inner) if decodes else None,
        )

    def _norm(self, source: Source, name: str) -> Norm:
        return Norm(source.vector(f"{name}.weight", self._config.hidden), None, self._config.epsilon)

    def _write_encoder(self, write: Builder, blocks: list[_Block], final: Norm, cross: Weight) -> list[tuple[int, int]]:
        program, cache, parts = write.program, self._input.layers[0], []
        for block in blocks:
            start = len(program)
            write.norm(block.norm)
            write.product(block.query_key_value, "wide")
            write.store(self._self, cache, _NOT_ROTATED)
            write.attend(self._self, cache, _NOT_ROTATED, causal=False, biases=self._biases[0], reach=p.INPUT_REACH)
            self._write_rest(write, block)
            parts.append((start, len(program)))
        start = len(program)
        write.norm(final)
        write.product(cross, "wide")
        heads, width = self._config.heads, self._config.width
        inner = heads * width
        for number, layer in enumerate(self._cross.layers):
            place = 2 * inner * number
            write.store(Heads(heads, heads, width, (0, 0), (place, width), (place + inner, width)), layer, _NOT_ROTATED)
        return [*parts, (start, len(program))]

    def _write_decoder(self, write: Builder, number: int, block: _Block, *, rows: bool) -> tuple[int, int]:
        start, cache = len(write.program), self._prefix.layers[number]
        write.norm(block.norm)
        write.product(block.query_key_value, "wide")
        if rows:
            write.attend_rows(self._self, cache, self._own.layers[number], _NOT_ROTATED, self._biases[1])
        else:
            write.store(self._self, cache, _NOT_ROTATED)
            write.attend(self._self, cache, _NOT_ROTATED, causal=True, biases=self._biases[1], reach=p.REACH)
        assert block.cross_norm is not None
        assert block.cross_query is not None
        assert block.cross_out is not None
        self._write_out(write, block.out)
        write.norm(block.cross_norm)
        write.product(block.cross_query, "wide")
        write.attend(self._self, self._cross.layers[number], _NOT_ROTATED, causal=False)
        self._write_rest(write, block, block.cross_out)
        return start, len(write.program)

    def _write_out(self, write: Builder, weight: Weight) -> None:
        write.quantize("attended", weight.inputs)
        write.product(weight, "hidden")

    def _write_rest(self, write: Builder, block: _Block, out: Weight | None = None) -> None:
        """What follows the last attention of a block."""
        self._write_out(write, out or block.out)
        write.norm(block.mlp_norm)
        write.product(block.mlp_in, "wide")
        write.quantize("wide", block.mlp_out.inputs, activation=self._act, gated=self._config.gated)
        write.product(block.mlp_out, "hidden")
