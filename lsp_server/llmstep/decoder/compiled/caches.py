"""Keys and values in a program's memory."""

from __future__ import annotations

import numpy as np

from llmstep.decoder import arrays
from llmstep.decoder.compiled.parts import Cache
from llmstep.decoder.compiled.program import UNIT, Program
from llmstep.decoder.weights import TILE

_GRANULE = 128
"""Capacity for a prompt is a multiple of this, so that the next, slightly longer one fits."""


class PromptCache:
    """Those of a prompt (or of an encoder's input), which all samples share.

    Args:
        capacity: The state that says for how many tokens there is memory.
        length: The state that says how many there are.
    """

    def __init__(self, program: Program, layers: int, heads: int, width: int, capacity: int, length: int) -> None:
        self._program, self._capacity, self._length = program, capacity, length
        self._shape = layers, heads, width, -(-width // TILE) * TILE
        none = arrays.empty(0)
        self.layers = [Cache(program.memory(none), program.memory(none), capacity, length) for _ in range(layers)]
        self._keys = self._values = none

    def reserve(self, tokens: int, keep: int = 0) -> None:
        """Have memory for so many tokens, and keep the first ones."""
        state = self._program.state
        if tokens > state[self._capacity]:
            capacity = -(-tokens // _GRANULE) * _GRANULE
            layers, heads, width, wide = self._shape
            dtype = np.float16 if state[UNIT] == 2 else np.float32
            keys = arrays.zeros((layers, heads, width, capacity), dtype)
            values = arrays.zeros((layers, heads, capacity, wide), dtype)
            if keep:
                keys[..., :keep] = self._keys[..., :keep]
                values[..., :keep, :] = self._values[..., :keep, :]
            self._keys, self._values = keys, values
            for number, layer in enumerate(self.layers):
                self._program.replace(layer.keys, keys[number])
                self._program.replace(layer.values, values[number])
            state[self._capacity] = capacity
        state[self._length] = keep


class OwnCache:
    """Those of the samples' own tokens.

    Args:
        rows: The state that says for how many samples there is memory.
        tokens: The state that says for how many tokens of each.
        own: The state that says how many tokens each has.
    """

    def __init__(self, program: Program, layers: int, heads: int, width: int, rows: int, tokens: int, own: int) -> None:
        self._program, self._states, self._shape = program, (rows, tokens, own), (layers, heads, width)
        none = arrays.empty(0)
        self.layers = [(program.memory(none), program.memory(none)) for _ in range(layers)]
        self._keys = self._values = none

    def begin(self, rows: int, max_tokens: int) -> None:
        """Begin so many samples of at most so many tokens."""
        state = self._program.state
        rows_state, tokens_state, own = self._states
        if rows > state[rows_state] or max_tokens > state[tokens_state]:
            layers, heads, width = self._shape
            self._keys = arrays.empty((layers, heads, rows, max_tokens, width))
            self._values = arrays.empty((layers, heads, rows, max_tokens, width))
            for number, (keys, values) in enumerate(self.layers):
                self._program.replace(keys, self._keys[number])
                self._program.replace(values, self._values[number])
            state[rows_state], state[tokens_state] = rows, max_tokens
        state[own] = 0

    def drop(self, moves: list[tuple[int, int]]) -> None:
        """Move samples, each (from, to)."""
        own = int(self._program.state[self._states[2]])
        for source, target in moves:
            self._keys[:, :, target, :own] = self._keys[:, :, source, :own]
            self._values[:, :, target, :own] = self._values[:, :, source, :own]
