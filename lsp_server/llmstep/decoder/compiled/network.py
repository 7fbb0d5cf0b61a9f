"""Compiled networks: the threads that run a program, prompts and the steps of samples behind them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import drawing
from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.builder import Builder, Cache, Memory, Part
from llmstep.decoder.compiled.machine import Machine
from llmstep.decoder.compiled.rowwise import choose
from llmstep.decoder.interface import common_length, stop_if
from llmstep.decoder.layout import Model

_CHUNK = 256
"""Tokens of a prompt that are read at once; each needs a row of the memory between products."""
_GRANULE = 128
"""Capacity for a text is a multiple of this, so that the next, slightly longer one fits."""


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


class CompiledNetwork:
    """The same as `NumpyNetwork`, of any architecture, in compiled code.

    Args:
        floats: Whether all weights are float32; the keys and values of a prompt have 16 bits where they are not.
    """

    def __init__(self, model: Model, *, floats: bool) -> None:
        self._model, self._floats = model, floats
        self.shapes = {name: (each.outputs, each.inputs) for name, each in model.products.items()}
        self._state = np.zeros(p.SLOTS, np.int64)
        self._machine, self.threads = Machine(1), 1
        none = Cache.of_prompt(model.config.layers, model.config, 0, floats=floats)
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
        if self.threads != self._machine.threads:
            self._machine = Machine(self.threads)
        if new_input:
            self._put(ids)
            self._state[p.START], self._state[p.INPUT] = 0, length
            self._run(self._builder.encoder, cancel)
            self._input_ids = ids
        for start in range(known, len(text), _CHUNK):
            chunk = text[start : start + _CHUNK]
            self._put(chunk)
            self._state[p.START], self._state[p.LENGTH] = start, start + len(chunk)
            self._run(self._builder.prompt, cancel)
            self._ids = text[: start + len(chunk)]
        hidden = self._builder.program.hidden
        hidden[0] = hidden[int(self._state[p.ROWS]) - 1]
        self._state[p.ROWS], self._state[p.OWN] = 1, 0
        self._run([self._builder.head])
        return self._logits(1)

    def step(self, tokens: Sequence[int], rows: Sequence[int]) -> NDArray[np.float32]:
        self._put(tokens)
        self._state[p.SLOTS : p.SLOTS + len(rows)] = rows
        self._run([self._builder.step])
        self._state[p.OWN] += 1
        return self._logits(len(tokens))

    def draw(
        self, logits: NDArray[np.float32], temperature: float, top_p: float, numbers: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if temperature > 0 and top_p < 1:
            return drawing.draw(logits, temperature, top_p, numbers)
        tokens, logprobs = np.empty(len(numbers), np.int64), np.empty(len(numbers), np.float32)
        choose(logits.ctypes.data, len(logits), logits.shape[1], float(temperature), numbers, tokens, logprobs)
        return tokens, logprobs

    def session(self, threads: int) -> AbstractContextManager[object]:
        self.threads = threads
        return contextlib.nullcontext()

    def _put(self, tokens: Sequence[int]) -> None:
        """Have the embeddings of tokens in the residual stream, a row for each."""
        rows = self._state[p.ROWS] = len(tokens)
        self._model.embed.read(tokens, self._builder.program.hidden[:rows])

    def _run(self, parts: Sequence[Part], cancel: Callable[[], bool] = lambda: False) -> None:
        for part in parts:
            stop_if(cancel)
            self._machine.run(self._builder.program, self._state, self._builder.scratch, *part)

    def _logits(self, rows: int) -> NDArray[np.float32]:
        """A copy of the logits of the first rows, [rows, vocabulary]."""
        return np.array(self._builder.program.logits[:rows, : self.shapes["head"][0]])

    def _grow(self, wanted: Capacity, known: int) -> None:
        """Have memory for more where it is needed, and a program that works on it.

        Args:
            known: Tokens of the prompt whose keys and values are kept.
        """
        have, config, floats = self._capacity, self._model.config, self._floats
        if all(one >= other for one, other in zip(have, wanted, strict=True)):
            return
        most = Capacity(*map(max, have, wanted))
        most = most._replace(
            **{name: -(-getattr(most, name) // _GRANULE) * _GRANULE for name in ("rows", "prompt", "input")}
        )
        prompt, own, whole, cross = self._memory
        if most.prompt > have.prompt:
            prompt = Cache.of_prompt(config.layers, config, most.prompt, floats=floats)
            prompt.keys[..., :known] = self._memory.prompt.keys[..., :known]
            prompt.values[..., :known, :] = self._memory.prompt.values[..., :known, :]
        if (most.samples, most.tokens) != (have.samples, have.tokens):
            own = Cache.of_samples(config, most.samples, most.tokens)
        if most.input > have.input:
            whole, cross = (Cache.of_prompt(each, config, most.input, floats=floats) for each in (1, config.layers))
        memory = Memory(prompt, own, whole, cross)
        self._builder = Builder(self._model, memory, most.rows, floats=floats)
        self._state = np.resize(self._state, p.SLOTS + most.samples)
        self._capacity, self._memory = most, memory
