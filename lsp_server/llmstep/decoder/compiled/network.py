"""Compiled networks: a program, the threads that run it, prompts and the steps of samples behind them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import drawing
from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.attention import QUERIES
from llmstep.decoder.compiled.builder import Builder
from llmstep.decoder.compiled.choosing import chosen
from llmstep.decoder.compiled.machine import Machine
from llmstep.decoder.compiled.parts import Cache, Heads, Model
from llmstep.decoder.interface import stop_if
from llmstep.decoder.network import common_length
from llmstep.decoder.weights import TILE

_CHUNK = 256
"""Tokens of a prompt that are read at once; each needs a row of the memory between products."""
_GRANULE = 128
"""Capacity for a text is a multiple of this, so that the next, slightly longer one fits."""
Part = tuple[int, int]
"""Where some of a program's operations begin and end."""


class Capacity(NamedTuple):
    """What a network has memory for."""

    rows: int = 0
    """Tokens of a text that are read at once, or samples."""
    samples: int = 0
    tokens: int = 0
    """Of a sample."""
    prompt: int = 0
    """Tokens."""
    input: int = 0
    """The same of an encoder."""


class Memory(NamedTuple):
    """Keys and values."""

    prompt: Cache
    own: Cache
    """Those of the samples' own tokens."""
    input: Cache
    """An encoder's, of one layer, which all of its layers use."""
    cross: Cache
    """What the decoder's layers see of the encoder."""


class CompiledNetwork:
    """A `Network`.

    Args:
        floats: Whether all weights are float32; the keys and values of a prompt have 16 bits where they are not.
    """

    def __init__(self, model: Model, *, floats: bool) -> None:
        self._model, self._floats = model, floats
        self.shapes = {name: (each.outputs, each.inputs) for name, each in model.products.items()}
        self._state = np.zeros(p.SLOTS, np.int64)
        self._machine = Machine(1)
        self.threads = 1
        none = Cache.of_prompt(len(model.blocks), model.blocks[0].heads, 0, floats=floats)
        self._capacity, self._memory = Capacity(), Memory(none, none, none, none)
        self.forget()

    def forget(self) -> None:
        self._ids: list[int] = []
        self._input_ids: list[int] = []

    def read(
        self, ids: list[int], prefix: list[int], rows: int, max_tokens: int, cancel: Callable[[], bool]
    ) -> NDArray[np.float32]:
        encoder = self._model.encoder
        new_input = encoder is not None and ids != self._input_ids
        if new_input:
            self.forget()
        text = ids if encoder is None else [encoder.start_id, *prefix]
        known = min(common_length(self._ids, text), len(text) - 1)  # the last one is read for its logits
        self._ids, length = text[:known], 0 if encoder is None else len(ids)
        at_once = max(rows, length, min(len(text) - known, _CHUNK))
        self._grow(Capacity(at_once, rows, max_tokens, len(text), length), known)
        self._state = np.resize(self._state, p.SLOTS + self._capacity.samples)
        if self.threads != self._machine.threads:
            self._machine = Machine(self.threads)
        if new_input:
            self._put(ids)
            self._state[p.START], self._state[p.INPUT] = 0, length
            self._run(self._encoder_parts, cancel)
            self._input_ids = ids
        for start in range(known, len(text), _CHUNK):
            chunk = text[start : start + _CHUNK]
            self._put(chunk)
            self._state[p.START], self._state[p.LENGTH] = start, start + len(chunk)
            self._run(self._prompt_parts, cancel)
            self._ids = text[: start + len(chunk)]
        hidden = self._builder.hidden
        hidden[0] = hidden[int(self._state[p.ROWS]) - 1]
        self._state[p.ROWS], self._state[p.OWN] = 1, 0
        self._run([self._head_part])
        return self._logits(1)

    def step(self, tokens: Sequence[int], rows: Sequence[int]) -> NDArray[np.float32]:
        self._put(tokens)
        self._state[p.SLOTS : p.SLOTS + len(rows)] = rows
        self._run([self._step_part])
        self._state[p.OWN] += 1
        return self._logits(len(tokens))

    def draw(
        self, logits: NDArray[np.float32], temperature: float, top_p: float, numbers: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if temperature > 0 and top_p < 1:
            return drawing.draw(logits, temperature, top_p, numbers)
        return chosen(logits, temperature, numbers)

    def session(self, threads: int) -> AbstractContextManager[object]:
        self.threads = threads
        return contextlib.nullcontext()

    def _put(self, tokens: Sequence[int]) -> None:
        """Have the embeddings of tokens in the residual stream, a row for each."""
        rows = self._state[p.ROWS] = len(tokens)
        self._model.embed.read(tokens, self._builder.hidden[:rows])

    def _run(self, parts: Sequence[Part], cancel: Callable[[], bool] = lambda: False) -> None:
        """Run parts of the program."""
        for part in parts:
            stop_if(cancel)
            self._machine.run(self._builder.program, self._state, self._scratch, *part)

    def _logits(self, rows: int) -> NDArray[np.float32]:
        """A copy of the logits of the first rows, [rows, vocabulary]."""
        return np.array(self._builder.logits[:rows, : self.shapes["head"][0]])

    def _grow(self, wanted: Capacity, known: int) -> None:
        """Have memory for more where it is needed, and a program that works on it.

        Args:
            known: Tokens of the prompt whose keys and values are kept.
        """
        have, model = self._capacity, self._model
        if all(one >= other for one, other in zip(have, wanted, strict=True)):
            return
        most = Capacity(*map(max, have, wanted))
        whole = {name: -(-getattr(most, name) // _GRANULE) * _GRANULE for name in ("rows", "prompt", "input")}
        most, heads, layers = most._replace(**whole), model.blocks[0].heads, len(model.blocks)
        prompt, own, input_cache, cross = self._memory
        if most.prompt > have.prompt:
            prompt = Cache.of_prompt(layers, heads, most.prompt, floats=self._floats)
            prompt.keys[..., :known] = self._memory.prompt.keys[..., :known]
            prompt.values[..., :known, :] = self._memory.prompt.values[..., :known, :]
        if (most.samples, most.tokens) != (have.samples, have.tokens):
            own = Cache.of_samples(layers, heads, most.samples, most.tokens)
        if most.input > have.input:
            sizes = (1, layers)
            input_cache, cross = (Cache.of_prompt(each, heads, most.input, floats=self._floats) for each in sizes)
        memory = Memory(prompt, own, input_cache, cross)
        self._write(most, memory)
        self._capacity, self._memory = most, memory

    def _write(self, capacity: Capacity, memory: Memory) -> None:
        """Write the program: an encoder, the blocks for the tokens of a prompt, those for samples, and the head."""
        model, encoder, heads = self._model, self._model.encoder, self._model.blocks[0].heads
        (*others, head), attended = model.products.values(), heads.heads * heads.width
        write = Builder(
            model.embed.width,
            max(each.outputs for each in others),
            attended,
            head.outputs,
            rows=capacity.rows,
            max_logits=capacity.samples,
            floats=self._floats,
            epsilon=model.epsilon,
        )
        encoder_parts: list[Part] = []
        if encoder is not None:
            places, whole = encoder.positions.up_to(capacity.input), memory.input.layer(0)
            encoder_parts = [write.block(each, whole, places, length=p.INPUT) for each in encoder.blocks]
            start = len(write.program)
            write.norm(encoder.norm)
            write.product(encoder.cross, write.wide)
            for number in range(len(model.blocks)):
                key, value = ((2 * attended * number + place, heads.width) for place in (0, attended))
                cross = Heads(heads.heads, heads.heads, heads.width, (0, 0), key, value)
                write.attention(p.STORE, cross, memory.cross.layer(number), {})
            encoder_parts.append((start, len(write.program)))
        places = model.positions.up_to(capacity.prompt + capacity.tokens)

        def block(number: int, own: Cache | None) -> Part:
            cross = None if encoder is None else memory.cross.layer(number)
            return write.block(model.blocks[number], memory.prompt.layer(number), places, own=own, cross=cross)

        prompt_parts = [block(number, None) for number in range(len(model.blocks))]
        step_parts = [block(number, memory.own.layer(number)) for number in range(len(model.blocks))]
        last = len(write.program)
        write.norm(model.norm)
        write.product(head, write.logits)
        columns = max(capacity.prompt, capacity.input) + capacity.tokens + 4 * TILE
        queries = max(QUERIES, heads.heads // heads.key_heads * capacity.samples)
        self._scratch = max(write.scratch, queries * (2 * heads.width + columns + TILE))
        self._builder, self._encoder_parts, self._prompt_parts = write, encoder_parts, prompt_parts
        self._head_part, self._step_part = (last, len(write.program)), (step_parts[0][0], len(write.program))
