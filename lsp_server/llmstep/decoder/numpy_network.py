"""GPT-NeoX in numpy, for models that are run before numba would be there, and where there is no numba."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from llmstep.decoder import drawing
from llmstep.decoder.interface import common_length, stop_if
from llmstep.decoder.layout import Block, Model, Norm
from llmstep.decoder.positions import Angles
from llmstep.decoder.weights import Weight

Array = NDArray[np.float32]
_CHUNK = 512
"""Tokens of a prompt that are read at once; more need memory for the scores of each with each."""
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_SCALE = 0.3275911


@dataclass(eq=False)
class Memory:
    """Keys and values of one layer: those of the prompt, shared, and those of the rows behind it."""

    keys: Array
    """[heads, prompt, width]"""
    values: Array
    row_keys: Array
    """[rows, heads, max_tokens, width]"""
    row_values: Array


class NumpyNetwork:
    """A model in float32 with the keys and values of one prompt, and of samples behind it, which all are as long."""

    draw = staticmethod(drawing.draw)
    """See `drawing.draw`."""

    def __init__(self, model: Model) -> None:
        self._model, self._config = model, model.config
        self.shapes = {name: (each.outputs, each.inputs) for name, each in model.products.items()}
        """Outputs and inputs of its products, by name."""
        self.forget()

    def forget(self) -> None:
        """Give up the keys and values of the last prompt."""
        self._ids: list[int] = []
        heads = self._config.heads
        none = np.empty((heads, 0, self._config.width), np.float32)
        rows = np.empty((0, heads, 0, self._config.width), np.float32)
        self._memories = [Memory(none, none, rows, rows) for _ in self._model.blocks]
        self._position = self._drawn = 0

    def read(self, ids: list[int], prefix: list[int], rows: int, max_tokens: int, cancel: Callable[[], bool]) -> Array:
        """Read a prompt, for `rows` samples of at most `max_tokens` tokens; logits of the first one, [1, vocabulary].

        What the last prompt and this one have in common is not computed again: for a causal model the tokens at which
        both begin, for an encoder-decoder model the encoder's side when the input is the same.

        Args:
            prefix: For an encoder-decoder model: what its output begins with, behind the start token.
            cancel: Asked between parts of the work.

        Raises:
            StoppedError: `cancel` said so.
        """
        known = min(common_length(self._ids, ids), len(ids) - 1)  # the last one is read for its logits
        self._ids = ids[:known]
        for memory in self._memories:
            memory.keys, memory.values = memory.keys[:, :known], memory.values[:, :known]
        hidden = np.empty((0, 0), np.float32)
        for start in range(known, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            hidden = self._chunk(chunk, start, cancel)
            self._ids = ids[: start + len(chunk)]
        shape = (rows, self._config.heads, max_tokens, self._config.width)
        for memory in self._memories:
            memory.row_keys, memory.row_values = np.empty(shape, np.float32), np.empty(shape, np.float32)
        self._position, self._drawn = len(ids), 0
        return self._logits(hidden[-1:])

    def step(self, tokens: Sequence[int], rows: Sequence[int]) -> Array:
        """Logits behind one more token for each of some rows, [tokens, vocabulary]."""
        hidden, angles = self._embedded(tokens), self._angles(self._position, 1)
        all_left = len(rows) == len(self._memories[0].row_keys)
        places = slice(None) if all_left else np.asarray(rows)  # a slice copies nothing
        for block, memory in zip(self._model.blocks, self._memories, strict=True):
            queries, keys, values = self._split(block, hidden, angles)  # [rows, heads, width]
            memory.row_keys[places, :, self._drawn] = keys
            memory.row_values[places, :, self._drawn] = values
            hidden = self._rest(block, hidden, self._attend_rows(queries, memory, places))
        self._position += 1
        self._drawn += 1
        return self._logits(hidden)

    def session(self, threads: int) -> AbstractContextManager[object]:
        """What is entered around the drawing of samples, with so many threads for the products.

        By itself numpy's OpenBLAS takes a thread for each core, which wait for each other by spinning: on busy cores a
        request of a small model then takes ten times as long.
        """
        limit: AbstractContextManager[object] = _pools().limit(limits=threads, user_api="blas")
        return limit

    def _chunk(self, ids: list[int], start: int, cancel: Callable[[], bool]) -> Array:
        """Run part of a prompt; hidden states [new, hidden]."""
        hidden, angles = self._embedded(ids), self._angles(start, len(ids))
        later = np.triu(np.full((len(ids), start + len(ids)), -np.inf, np.float32), start + 1)
        for block, memory in zip(self._model.blocks, self._memories, strict=True):
            stop_if(cancel)
            queries, keys, values = (part.swapaxes(0, 1) for part in self._split(block, hidden, angles))
            memory.keys = np.concatenate((memory.keys, keys), 1)
            memory.values = np.concatenate((memory.values, values), 1)
            scores = queries @ memory.keys.swapaxes(1, 2) * np.float32(self._config.width**-0.5) + later
            attended = (_softmax(scores) @ memory.values).swapaxes(0, 1)
            hidden = self._rest(block, hidden, attended.reshape(len(ids), -1))
        return hidden

    def _attend_rows(self, queries: Array, memory: Memory, rows: slice | NDArray[np.int64]) -> Array:
        """Each row sees the prompt and itself: [rows, heads, width] in, [rows, hidden] out."""
        queries = queries * np.float32(self._config.width**-0.5)
        keys, values = (each[rows, :, : self._drawn + 1] for each in (memory.row_keys, memory.row_values))
        shared = (queries.swapaxes(0, 1) @ memory.keys.swapaxes(1, 2)).swapaxes(0, 1)  # [rows, heads, prompt]
        own = (keys @ queries[..., None])[..., 0]  # [rows, heads, drawn]
        weights = _softmax(np.concatenate((shared, own), -1))
        prompt = memory.keys.shape[1]
        attended = (weights[..., :prompt].swapaxes(0, 1) @ memory.values).swapaxes(0, 1)
        attended = attended + (weights[..., None, prompt:] @ values)[:, :, 0]
        return np.asarray(attended.reshape(len(queries), -1))

    def _split(self, block: Block, hidden: Array, angles: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        """Queries, keys and values of tokens, [tokens, heads, width] each, the first two rotated."""
        config, half, (cos, sin) = self._config, self._config.rotary // 2, angles
        out = self._times(block.query_key_value, self._normed(hidden, block.norm))
        out = out.reshape(len(hidden), config.heads, 3, config.width)
        rotated = out[:, :, :2, : config.rotary]
        turned = np.concatenate((-rotated[..., half:], rotated[..., :half]), -1)
        out[:, :, :2, : config.rotary] = rotated * cos + turned * sin
        return out[:, :, 0], out[:, :, 1], out[:, :, 2]

    def _rest(self, block: Block, hidden: Array, attended: Array) -> Array:
        """What follows the attention in a block."""
        after = self._times(block.attention_out, attended) + hidden
        source = self._normed(hidden if self._config.parallel else after, block.mlp_norm)
        return self._times(block.mlp_out, _gelu(self._times(block.mlp_in, source))) + after

    def _logits(self, hidden: Array) -> Array:
        return self._times(self._model.products["head"], self._normed(hidden, self._model.norm))

    def _times(self, weight: Weight, x: Array) -> Array:
        return np.asarray(x @ weight.matrix + weight.bias[: weight.outputs])

    def _normed(self, hidden: Array, norm: Norm) -> Array:
        centred = hidden - hidden.mean(-1, keepdims=True)
        variance = np.square(centred).mean(-1, keepdims=True)
        return np.asarray(centred / np.sqrt(variance + np.float32(self._config.epsilon)) * norm.weight + norm.bias)

    def _angles(self, start: int, count: int) -> tuple[Array, Array]:
        """Cosines and sines of positions, each [positions, 1, 1, rotary]."""
        assert isinstance(self._model.positions, Angles)
        cos, sin = self._model.positions.between(start, start + count)
        return np.concatenate((cos, cos), -1)[:, None, None], np.concatenate((sin, sin), -1)[:, None, None]

    def _embedded(self, tokens: Sequence[int]) -> Array:
        """[tokens, hidden]"""
        hidden = np.empty((len(tokens), self._config.hidden), np.float32)
        self._model.embed.read(tokens, hidden)
        return hidden


@functools.cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def _gelu(x: Array) -> Array:
    """x times the normal distribution's share below x.

    numpy has no error function; this is formula 7.1.26 of Abramowitz and Stegun, which is exact to 1.5e-7.
    """
    places = np.abs(x) * np.float32(0.5**0.5)
    t = 1.0 / (1.0 + np.float32(_ERF_SCALE) * places)
    series = np.zeros_like(t)
    for factor in reversed(_ERF):
        series = (series + np.float32(factor)) * t
    tail = 0.5 * series * np.exp(-places * places)  # beyond |x| on one side
    return np.asarray(x * np.where(x < 0, tail, 1.0 - tail))
