"""GPT-NeoX in numpy, for models that are run before numba would be there, and where there is no numba."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from llmstep.decoder import drawing
from llmstep.decoder.interface import stop_if
from llmstep.decoder.network import common_length
from llmstep.decoder.rope import frequencies

if TYPE_CHECKING:
    from llmstep.decoder.config import Config
    from llmstep.decoder.folder import ModelFolder

Array = NDArray[np.float32]
_CHUNK = 512
"""Tokens of a prompt that are read at once; more need memory for the scores of each with each."""
_PRODUCTS = {
    "query_key_value": "attention.query_key_value",
    "attention_out": "attention.dense",
    "mlp_in": "mlp.dense_h_to_4h",
    "mlp_out": "mlp.dense_4h_to_h",
}
_PARTS = {"attention_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm", **_PRODUCTS}
"""Where a block has its parts."""
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_SCALE = 0.3275911


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights of one block, products transposed: [in, out]."""

    attention_norm: tuple[Array, Array]
    query_key_value: tuple[Array, Array]
    attention_out: tuple[Array, Array]
    mlp_norm: tuple[Array, Array]
    mlp_in: tuple[Array, Array]
    mlp_out: tuple[Array, Array]


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
    """A `Network`.

    Raises:
        DamagedError: A weight is missing.
    """

    draw = staticmethod(drawing.draw)

    def __init__(self, config: Config, model: ModelFolder) -> None:
        self._config, self._model = config, model
        places = (f"gpt_neox.layers.{number}." for number in range(config.layers))
        self._layers = [
            Layer(**{part: self._part(place + name, product=part in _PRODUCTS) for part, name in _PARTS.items()})
            for place in places
        ]
        self._norm = self._part("gpt_neox.final_layer_norm", product=False)
        self._embed = self._tensor("gpt_neox.embed_in.weight")
        heads = [name for name in ("embed_out.weight", "lm_head.weight") if name in model.tensors]
        self._head = self._tensor(heads[0]).T if heads else self._embed.T
        self._frequencies, self._scaling = frequencies(config)
        layers = {
            f"{number}.{part}": getattr(each, part)[0] for number, each in enumerate(self._layers) for part in _PRODUCTS
        }
        self.shapes = {name: weight.shape[::-1] for name, weight in {**layers, "head": self._head}.items()}
        self.forget()

    def forget(self) -> None:
        self._ids: list[int] = []
        heads = self._config.heads
        none = np.empty((heads, 0, self._config.width), np.float32)
        rows = np.empty((0, heads, 0, self._config.width), np.float32)
        self._memories = [Memory(none, none, rows, rows) for _ in self._layers]
        self._position = self._drawn = 0

    def read(self, ids: list[int], prefix: list[int], rows: int, max_tokens: int, cancel: Callable[[], bool]) -> Array:
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
        hidden = self._embed[tokens]  # [rows, hidden]
        cos, sin = self._rotations(self._position, 1)
        for layer, memory in zip(self._layers, self._memories, strict=True):
            queries, keys, values = self._split(layer, hidden, cos, sin)  # [rows, heads, width]
            memory.row_keys[rows, :, self._drawn] = keys
            memory.row_values[rows, :, self._drawn] = values
            hidden = self._rest(layer, hidden, self._attend_rows(queries, memory, rows))
        self._position += 1
        self._drawn += 1
        return self._logits(hidden)

    def session(self, threads: int) -> AbstractContextManager[object]:
        """By itself numpy's OpenBLAS takes a thread for each core, which wait for each other by spinning.

        On busy cores a request of a small model then takes ten times as long.
        """
        limit: AbstractContextManager[object] = _pools().limit(limits=threads, user_api="blas")
        return limit

    def _chunk(self, ids: list[int], start: int, cancel: Callable[[], bool]) -> Array:
        """Run part of a prompt; hidden states [new, hidden]."""
        hidden = self._embed[ids]
        cos, sin = self._rotations(start, len(ids))
        later = np.triu(np.full((len(ids), start + len(ids)), -np.inf, np.float32), start + 1)
        for layer, memory in zip(self._layers, self._memories, strict=True):
            stop_if(cancel)
            queries, keys, values = (part.swapaxes(0, 1) for part in self._split(layer, hidden, cos, sin))
            memory.keys = np.concatenate((memory.keys, keys), 1)
            memory.values = np.concatenate((memory.values, values), 1)
            scores = queries @ memory.keys.swapaxes(1, 2) * np.float32(self._config.width**-0.5) + later
            attended = (_softmax(scores) @ memory.values).swapaxes(0, 1)
            hidden = self._rest(layer, hidden, attended.reshape(len(ids), -1))
        return hidden

    def _attend_rows(self, queries: Array, memory: Memory, rows: Sequence[int]) -> Array:
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

    def _split(self, layer: Layer, hidden: Array, cos: Array, sin: Array) -> tuple[Array, Array, Array]:
        """Queries, keys and values of tokens, [tokens, heads, width] each, the first two rotated."""
        weight, bias = layer.query_key_value
        out = self._normed(hidden, layer.attention_norm) @ weight + bias
        out = out.reshape(len(hidden), self._config.heads, 3, self._config.width)
        rotated, half = out[:, :, :2, : self._config.rotary], self._config.rotary // 2
        turned = np.concatenate((-rotated[..., half:], rotated[..., :half]), -1)
        out[:, :, :2, : self._config.rotary] = rotated * cos + turned * sin
        return out[:, :, 0], out[:, :, 1], out[:, :, 2]

    def _rest(self, layer: Layer, hidden: Array, attended: Array) -> Array:
        """What follows the attention in a block."""
        weight, bias = layer.attention_out
        after = attended @ weight + bias + hidden
        source = hidden if self._config.parallel else after
        (first, first_bias), (second, second_bias) = layer.mlp_in, layer.mlp_out
        return np.asarray(
            _gelu(self._normed(source, layer.mlp_norm) @ first + first_bias) @ second + second_bias + after
        )

    def _logits(self, hidden: Array) -> Array:
        return np.asarray(self._normed(hidden, self._norm) @ self._head)

    def _normed(self, hidden: Array, norm: tuple[Array, Array]) -> Array:
        centred = hidden - hidden.mean(-1, keepdims=True)
        variance = np.square(centred).mean(-1, keepdims=True)
        return np.asarray(centred / np.sqrt(variance + np.float32(self._config.epsilon)) * norm[0] + norm[1])

    def _rotations(self, start: int, count: int) -> tuple[Array, Array]:
        """Cosine and sine, each [tokens, 1, 1, rotary]."""
        angles = np.arange(start, start + count, dtype=np.float32)[:, None, None, None] * self._frequencies
        angles = np.concatenate((angles, angles), -1)
        return np.cos(angles) * np.float32(self._scaling), np.sin(angles) * np.float32(self._scaling)

    def _part(self, name: str, *, product: bool) -> tuple[Array, Array]:
        """Weight and bias; that of a product may be missing."""
        weight, bias = self._tensor(f"{name}.weight"), f"{name}.bias"
        moves = self._tensor(bias) if bias in self._model.tensors else np.zeros(len(weight), np.float32)
        return np.ascontiguousarray(weight.T) if product else weight, moves

    def _tensor(self, name: str) -> Array:
        file, part = self._model.file(name), name.removesuffix(".weight")
        return self._model.rows(part, 0, file.shape(name)[0]) if part != name else file.read(name)


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
