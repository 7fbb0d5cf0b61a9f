"""Keys and values of one layer where all samples share those of the prompt.

The prompt's are held once, [heads, prompt, width]; each sample has only its own, [heads, rows, own, width]. All rows
attend to the prompt in one product, so that its keys and values are read once a step however many samples there are.
With fewer heads for keys than for queries (grouped attention), neighbouring queries share a head of the keys.
"""

from __future__ import annotations

import torch
from torch.nn import functional

_GRANULE = 128
"""Room for a prompt is a multiple of this, so that the next, slightly longer one fits."""


class SharedCache:
    """Keys and values of one attention.

    Args:
        heads: Heads of the keys and values.
        width: Of one head.
        scale: Factor of the scores.
    """

    def __init__(self, heads: int, width: int, scale: float) -> None:
        self._heads, self._width, self._scale = heads, width, scale
        self._keys = self._values = torch.empty(heads, 0, width)
        self._length = 0
        self._own_keys = self._own_values = torch.empty(heads, 0, 0, width)
        self._rows = self._own = 0

    def crop(self, length: int, room: int) -> None:
        """Keep the first `length` tokens of the prompt, with room for `room` tokens in all."""
        if room > self._keys.shape[1]:
            keys = self._keys.new_empty(self._heads, round_up(room), self._width)
            values = torch.empty_like(keys)
            keys[:, :length] = self._keys[:, :length]
            values[:, :length] = self._values[:, :length]
            self._keys, self._values = keys, values
        self._length = length

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Add tokens of the prompt; [heads, new, width]."""
        end = self._length + keys.shape[1]
        self._keys[:, self._length : end] = keys
        self._values[:, self._length : end] = values
        self._length = end

    def attend_prompt(self, queries: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Attention from within the prompt to the prompt.

        Args:
            queries: [query heads, new, width]; those of the last `new` tokens, or of anything where all may be seen.
            mask: What to add to the scores, [query heads or 1, new, prompt]; None where everything is seen.

        Returns:
            [new, query heads x width]
        """
        keys, values = self._keys[None, :, : self._length], self._values[None, :, : self._length]
        out = functional.scaled_dot_product_attention(
            queries[None],
            keys,
            values,
            attn_mask=None if mask is None else mask[None],
            scale=self._scale,
            enable_gqa=queries.shape[0] != self._heads,
        )
        return out[0].transpose(0, 1).flatten(1)

    def begin_rows(self, rows: int, longest: int) -> None:
        """Begin `rows` samples of at most `longest` tokens behind the prompt."""
        needed = (self._heads, rows, longest, self._width)
        have = self._own_keys.shape
        if have[1] < rows or have[2] < longest:
            self._own_keys = self._keys.new_empty(needed)
            self._own_values = torch.empty_like(self._own_keys)
        self._rows, self._own = rows, 0
        # Views that stay the same in every step.
        self._prompt_keys = self._keys[:, : self._length].transpose(1, 2)
        self._prompt_values = self._values[:, : self._length]
        self._show()

    def attend_rows(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Add a token to every row, and attend from it to the prompt and to the row's own tokens.

        Args:
            queries: [rows, query heads, width]
            keys: As `values`, [rows, heads, width].
            bias: What to add to the scores, [query heads, prompt + own]; None for nothing.

        Returns:
            [rows, query heads x width]
        """
        own = self._own + 1
        rows, heads, width = self._rows, self._heads, self._width
        self._rows_keys[:, :, self._own] = keys.transpose(0, 1)
        self._rows_values[:, :, self._own] = values.transpose(0, 1)
        self._own = own
        group = queries.shape[1] // heads
        # [heads, rows x group, width]: every head of the keys with all queries that use it
        asked = self._grouped(queries, group)
        to_prompt = torch.bmm(asked, self._prompt_keys).view(heads, rows, group, -1)
        to_own = torch.matmul(asked.view(heads, rows, group, width), self._rows_keys[:, :, :own].transpose(2, 3))
        scores = torch.cat((to_prompt, to_own), -1)
        if bias is not None:
            scores += bias.view(heads, 1, group, -1)
        weights = scores.softmax(-1)
        length = self._length
        out = torch.matmul(weights[..., length:], self._rows_values[:, :, :own])
        out += torch.bmm(weights[..., :length].reshape(heads, rows * group, length), self._prompt_values).view_as(out)
        return out.transpose(0, 1).reshape(rows, -1)

    def attend_shared(self, queries: torch.Tensor) -> torch.Tensor:
        """Attend to the prompt alone; queries [rows, query heads, width] in, [rows, query heads x width] out."""
        rows = queries.shape[0]
        asked = self._grouped(queries, queries.shape[1] // self._heads)
        weights = torch.bmm(asked, self._keys[:, : self._length].transpose(1, 2)).softmax(-1)
        out = torch.bmm(weights, self._values[:, : self._length])
        return out.view(self._heads, rows, -1).transpose(0, 1).reshape(rows, -1)

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        """As `Network.drop`."""
        for source, target in moves:
            self._own_keys[:, target, : self._own] = self._own_keys[:, source, : self._own]
            self._own_values[:, target, : self._own] = self._own_values[:, source, : self._own]
        self._rows = left
        self._show()

    def _grouped(self, queries: torch.Tensor, group: int) -> torch.Tensor:
        rows = queries.shape[0]
        if self._scale != 1.0:
            queries = queries * self._scale
        return queries.view(rows, self._heads, group, -1).transpose(0, 1).reshape(self._heads, rows * group, -1)

    def _show(self) -> None:
        self._rows_keys = self._own_keys[:, : self._rows]
        self._rows_values = self._own_values[:, : self._rows]


def round_up(room: int) -> int:
    """`room` as a whole number of granules."""
    return -(-room // _GRANULE) * _GRANULE
