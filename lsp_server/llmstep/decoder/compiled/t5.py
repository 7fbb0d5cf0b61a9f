"""T5 and ByT5 as a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import arrays
from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.caches import PromptCache
from llmstep.decoder.compiled.distances import Distances
from llmstep.decoder.compiled.network import CompiledNetwork, read_norm
from llmstep.decoder.compiled.parts import NOT_ROTATED, Block, Cross, Heads, Norm
from llmstep.decoder.compiled.rowwise import ACTIVATIONS
from llmstep.decoder.interface import stop_if

if TYPE_CHECKING:
    from llmstep.decoder.config import T5Config
    from llmstep.decoder.source import Source


class CompiledT5(CompiledNetwork):
    """An encoder-decoder model; a `Network`. See `CompiledNetwork` for `floats`.

    Args:
        start_id: First token of the decoder.
    """

    def __init__(self, config: T5Config, source: Source, start_id: int, *, floats: bool) -> None:
        self._start_id = start_id
        names = ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]
        embed = source.embedding(names, config.vocabulary, config.hidden)
        encoder = [_read_block(source, config, "encoder", number) for number in range(config.encoder_layers)]
        decoder = [_read_block(source, config, "decoder", number) for number in range(config.decoder_layers)]
        # Keys and values of all the decoder's layers in one product, [layers x 2 x heads x width].
        keys = [f"decoder.block.{i}.layer.1.EncDecAttention.{part}" for i in range(len(decoder)) for part in "kv"]
        heads, width = config.heads, config.width
        inner = heads * width
        cross = source.product("cross", keys, len(keys) * inner, config.hidden)
        own_head = source.has("lm_head.weight")
        source.product("head", ["lm_head" if own_head else "shared"], config.vocabulary, config.hidden)
        self._biases_of = [
            Distances(
                source.vector(f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", heads),
                config.max_distance,
                bidirectional=side == "encoder",
            )
            for side in ("encoder", "decoder")
        ]
        final, last = (
            read_norm(source, f"{side}.final_layer_norm", config.hidden, config.epsilon)
            for side in ("encoder", "decoder")
        )
        if config.scaled:
            last = Norm(last.weight * config.hidden**-0.5, None, config.epsilon)
        super().__init__(source, embed, decoder, floats=floats)
        program, write = self._program, self._builder
        self._input = PromptCache(program, 1, heads, width, p.INPUT_ROOM, p.INPUT)
        self._cross = PromptCache(program, len(decoder), heads, width, p.CROSS_ROOM, p.CROSS)
        self._biases = [program.memory(arrays.empty(0)) for _ in range(2)]
        self._encoder_parts = [
            write.block(each, self._input.layers[0], causal=False, biases=self._biases[0], max_distance=p.INPUT_REACH)
            for each in encoder
        ]
        start = len(program)
        write.norm(final)
        write.product(cross, "wide")
        for number, layer in enumerate(self._cross.layers):
            place = 2 * inner * number
            write.store(Heads(heads, heads, width, (0, 0), (place, width), (place + inner, width)), layer, NOT_ROTATED)
        self._encoder_parts.append((start, len(program)))
        self._write(decoder, last, cross=self._cross, biases=self._biases[1])

    def read(
        self, ids: list[int], prefix: list[int], rows: int, max_tokens: int, cancel: Callable[[], bool]
    ) -> NDArray[np.float32]:
        if ids != self._ids:
            self._ids = []
            self._encode(ids, cancel)
            self._ids = ids
        stop_if(cancel)
        begun = [self._start_id, *prefix]
        self._begin(len(begun), rows)
        self._prompt.reserve(len(begun))
        self._reserve_biases(1, p.REACH, len(begun) + max_tokens)
        self._read(begun, 0, cancel)
        self._own.begin(rows, max_tokens)
        return self._last_logits()

    def _encode(self, ids: list[int], cancel: Callable[[], bool]) -> None:
        state = self._state
        self._begin(len(ids), 1)
        self._input.reserve(len(ids))
        self._cross.reserve(len(ids))
        self._reserve_biases(0, p.INPUT_REACH, len(ids))
        state[p.START], state[p.INPUT], state[p.CROSS] = 0, len(ids), len(ids)
        self._put(ids)
        self._run_all(self._encoder_parts, cancel)

    def _reserve_biases(self, side: int, state: int, max_distance: int) -> None:
        """Have the biases for so long texts."""
        program = self._program
        if max_distance > program.state[state]:
            max_distance = max(64, max_distance, 2 * int(program.state[state]))
            program.replace(self._biases[side], self._biases_of[side].table(max_distance))
            program.state[state] = max_distance


def _read_block(source: Source, config: T5Config, side: str, number: int) -> Block:
    """A layer of the encoder or decoder."""
    place, name = f"{side}.block.{number}.layer.", f"{side}.{number}."
    hidden, width, wide = config.hidden, config.width, config.inner
    inner = config.heads * width
    own, other = f"{place}0.SelfAttention.", f"{place}1.EncDecAttention."
    last = f"{place}{2 if side == 'decoder' else 1}."
    parts = ["wi_0", "wi_1"] if config.gated else ["wi"]

    def norm(where: str) -> Norm:
        return read_norm(source, f"{where}layer_norm", hidden, config.epsilon)

    return Block(
        heads=Heads(config.heads, config.heads, width, (0, width), (inner, width), (2 * inner, width)),
        norm=norm(f"{place}0."),
        query_key_value=source.product(f"{name}query_key_value", [own + part for part in "qkv"], 3 * inner, hidden),
        attention_out=source.product(f"{name}attention_out", [f"{own}o"], hidden, inner),
        mlp_norm=norm(last),
        mlp_in=source.product(
            f"{name}mlp_in", [f"{last}DenseReluDense.{part}" for part in parts], len(parts) * wide, hidden
        ),
        mlp_out=source.product(f"{name}mlp_out", [f"{last}DenseReluDense.wo"], hidden, wide),
        activation=ACTIVATIONS[config.activation],
        cross=Cross(
            norm(f"{place}1."),
            source.product(f"{name}cross_query", [f"{other}q"], inner, hidden),
            source.product(f"{name}cross_out", [f"{other}o"], hidden, inner),
        )
        if side == "decoder"
        else None,
    )
