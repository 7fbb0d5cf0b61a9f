"""Writes the program of a transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.attention import QUERIES
from llmstep.decoder.compiled.program import Operands, Program
from llmstep.decoder.config import ACTIVATIONS, Config
from llmstep.decoder.layout import Block, Model
from llmstep.decoder.weights import TILE, tiles, zeros

Part = tuple[int, int]
"""Where some of a program's operations begin and end."""
Heads = tuple[int, int]
"""Where a row has those of its queries, keys or values: the first number, and numbers from head to head."""


@dataclass(frozen=True, eq=False)
class Cache:
    """Keys and values of each layer, or of one."""

    keys: NDArray[Any]
    values: NDArray[Any]

    @classmethod
    def of_prompt(cls, layers: int, config: Config, tokens: int, *, floats: bool) -> Cache:
        """Those of a prompt, or of an encoder's input, which all samples share, in whole tiles (see `attention`)."""
        each, dtype = (layers, config.key_heads), np.float32 if floats else np.float16
        keys = zeros((*each, config.width, tokens), dtype)
        return cls(keys, zeros((*each, tokens, tiles(config.width) * TILE), dtype))

    @classmethod
    def of_samples(cls, config: Config, rows: int, tokens: int) -> Cache:
        """Those of the samples' own tokens."""
        shape = (config.layers, config.key_heads, rows, tokens, config.width)
        return cls(zeros(shape), zeros(shape))

    def layer(self, number: int) -> Cache:
        return Cache(self.keys[number], self.values[number])


class Memory(NamedTuple):
    """Keys and values."""

    prompt: Cache
    own: Cache
    """Those of the samples' own tokens."""
    input: Cache
    """An encoder's, of one layer, which all of its layers use."""
    cross: Cache
    """What the decoder's layers see of the encoder."""


class Builder:
    """A model's program.

    Args:
        capacity: Rows that there is memory for, tokens or samples.
        floats: Whether products read float32 and not bytes.
    """

    def __init__(self, model: Model, memory: Memory, capacity: int, *, floats: bool) -> None:
        config = self._config = model.config
        (*others, head), self._attended = model.products.values(), config.heads * config.width
        _, _, samples, tokens, _ = memory.own.keys.shape
        prompt, inputs = memory.prompt.keys.shape[-1], memory.input.keys.shape[-1]
        widest = max(each.outputs for each in others)
        self.program = Program(
            config.hidden,
            widest,
            self._attended,
            head.outputs,
            capacity=capacity,
            max_logits=samples,
            floats=floats,
            epsilon=config.epsilon,
        )
        self.encoder: list[Part] = []
        """What reads an encoder's input, to be run one after the other."""
        if model.encoder is not None:
            places, whole = model.encoder.positions.up_to(inputs), memory.input.layer(0)
            self.encoder = [self._block(each, whole, places, length=p.INPUT) for each in model.encoder.blocks]
            start = len(self.program)
            self.program.norm(model.encoder.norm)
            self.program.product(model.encoder.cross, self.program.wide)
            for number in range(config.layers):
                first = 2 * self._attended * number
                key, value = (first, config.width), (first + self._attended, config.width)
                self._attention(p.STORE, memory.cross.layer(number), {}, key=key, value=value)
            self.encoder.append((start, len(self.program)))
        places = model.positions.up_to(prompt + tokens)

        def block(number: int, own: Cache | None) -> Part:
            cross = None if model.encoder is None else memory.cross.layer(number)
            return self._block(model.blocks[number], memory.prompt.layer(number), places, own=own, cross=cross)

        self.prompt = [block(number, None) for number in range(config.layers)]
        """What reads tokens of a prompt."""
        start, *_ = [block(number, memory.own.layer(number))[0] for number in range(config.layers)]
        last = len(self.program)
        self.program.norm(model.norm)
        self.program.product(head, self.program.logits)
        self.head, self.step = (last, len(self.program)), (start, len(self.program))
        columns = max(prompt, inputs) + tokens + 4 * TILE
        queries = max(QUERIES, config.heads // config.key_heads)
        self.scratch = max(self.program.scratch, queries * (2 * config.width + columns + TILE))
        """Numbers that one thread needs beside the program's memory."""

    def _block(
        self,
        block: Block,
        cache: Cache,
        places: Operands,
        *,
        own: Cache | None = None,
        cross: Cache | None = None,
        length: int = p.LENGTH,
    ) -> Part:
        """One layer, for the tokens of a text, or for samples with their `own` keys and values behind it.

        Args:
            places: Operands of the positions.
            length: The state that says how long the text is; tokens of a prompt see those before them, and tokens of
                an encoder's input see all.
        """
        program, config, start = self.program, self._config, len(self.program)
        width, keys = config.width, config.key_heads * config.width
        if config.neox:  # queries, keys and values are next to each other head by head
            query, key, value = ((place * width, 3 * width) for place in range(3))
        else:
            query, key, value = (0, width), (self._attended, width), (self._attended + keys, width)
        norms = {**p.named("query_norm", block.query_norm), **p.named("key_norm", block.key_norm), **places}
        program.norm(block.norm)
        program.product(block.query_key_value, program.wide)
        if own is None:
            self._attention(p.STORE, cache, norms, key=key, value=value)
        self._attention(p.ATTEND, cache, norms, query=query, key=key, value=value, own=own, length=length)
        if config.parallel:
            program.norm(block.mlp_norm, kept=True)
        program.quantize(program.attended, self._attended)
        program.product(block.attention_out, program.hidden)
        if cross is not None and block.cross_norm and block.cross_query and block.cross_out:
            program.norm(block.cross_norm)
            program.product(block.cross_query, program.wide)
            self._attention(p.ATTEND, cross, {}, query=query, length=p.INPUT)
            program.quantize(program.attended, self._attended)
            program.product(block.cross_out, program.hidden)
        if not config.parallel:
            program.norm(block.mlp_norm)
        program.product(block.mlp_in, program.wide, kept=config.parallel)
        activation = ACTIVATIONS[config.activation]
        program.quantize(program.wide, config.inner, activation=activation, gated=config.gated)
        program.product(block.mlp_out, program.hidden)
        return start, len(program)

    def _attention(
        self,
        kind: int,
        cache: Cache,
        more: Operands,
        *,
        query: Heads = (0, 0),
        key: Heads = (0, 0),
        value: Heads = (0, 0),
        own: Cache | None = None,
        length: int = p.LENGTH,
    ) -> None:
        """Keys and values from `wide` into a cache (STORE), or attention of rows to it and to their own (ATTEND)."""
        config, operands = self._config, dict(more)
        for name, (first, following) in {"query": query, "key": key, "value": value}.items():
            operands |= {name: 4 * first, f"next_{name}": 4 * following}
        if own is not None:
            _, operands["max_rows"], operands["max_tokens"], _ = own.keys.shape
            operands |= {"own_keys": own.keys, "own_values": own.values}
        self.program.add(
            kind,
            **p.rows("source", self.program.wide),
            **p.rows("target", self.program.attended),
            heads=config.key_heads,
            group=config.heads // config.key_heads,
            width=config.width,
            zeros=self.program.zeros,
            keys=cache.keys,
            values=cache.values,
            capacity=cache.keys.shape[-1],
            unit=cache.keys.itemsize,
            length=length,
            causal=length == p.LENGTH and own is None,
            epsilon=self.program.epsilon,
            scale=1.0 if config.encoder_layers else config.width**-0.5,
            **operands,
        )
