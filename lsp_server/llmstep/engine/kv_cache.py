"""Keys and values in memory that is reserved once, in the form that the modules of transformers take them."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from llmstep.engine.shared_cache import round_up


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, written into a buffer of shape [rows, heads, room, width]."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.length = 0
        self.rows = 0
        self._keys = self._values = torch.empty(0)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Add keys and values of shape [rows, heads, new, width]; gives all of them, as views."""
        if not self.is_initialized:
            self._reserve(key_states.shape[0], key_states, value_states)
        end = self.length + key_states.shape[2]
        self._keys[: self.rows, :, self.length : end] = key_states
        self._values[: self.rows, :, self.length : end] = value_states
        return self._show(end)

    def crop_to(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        if self.is_initialized:
            self._show(length)

    def spread(self, rows: int, more: int) -> RoomyLayer:
        """A copy for several rows that begin with these tokens, with room for `more` tokens in each."""
        layer = RoomyLayer(self.length + more)
        layer._reserve(rows, self.keys, self.values)
        layer._keys[:, :, : self.length] = self.keys
        layer._values[:, :, : self.length] = self.values
        layer._show(self.length)
        return layer

    def grown(self, room: int) -> RoomyLayer:
        """The same with room for more tokens."""
        if room <= self.room or not self.is_initialized:
            self.room = max(room, self.room)
            return self
        return self.spread(self.rows, room - self.length)

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        """As `Network.drop`."""
        for source, target in moves:
            self._keys[target, :, : self.length] = self._keys[source, :, : self.length]
            self._values[target, :, : self.length] = self._values[source, :, : self.length]
        self.rows = left
        self._show(self.length)

    def _reserve(self, rows: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        self.rows = rows
        self.dtype, self.device = keys.dtype, keys.device
        self._keys = keys.new_empty((rows, keys.shape[1], self.room, keys.shape[3]))
        self._values = values.new_empty((rows, values.shape[1], self.room, values.shape[3]))
        self.is_initialized = True

    def _show(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        self.length = length
        self.keys = self._keys[: self.rows, :, :length]
        self.values = self._values[: self.rows, :, :length]
        return self.keys, self.values


class RoomyCache(Cache):  # type: ignore[misc]
    """All layers' keys and values.

    Args:
        layers: One for each layer of the model.
    """

    def __init__(self, layers: list[RoomyLayer]) -> None:
        super().__init__(layers=layers)

    @classmethod
    def empty(cls, layers: int, room: int) -> RoomyCache:
        """For a model with so many layers, with room for so many tokens or a little more."""
        return cls([RoomyLayer(round_up(room)) for _ in range(layers)])

    def spread(self, rows: int, more: int) -> RoomyCache:
        """As `RoomyLayer.spread`, for all layers."""
        return RoomyCache([layer.spread(rows, more) for layer in self.layers])

    def resume(self, length: int, room: int) -> RoomyCache:
        """With the first `length` tokens only, and room for `room` tokens in all."""
        for layer in self.layers:
            layer.crop_to(length)
        return RoomyCache([layer.grown(round_up(room)) for layer in self.layers])

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        """As `Network.drop`."""
        for layer in self.layers:
            layer.drop(moves, left)
