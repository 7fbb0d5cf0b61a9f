"""Keys and values of a whole model at addresses that stay.

Those of the prompt are held once, and each sample (row) has only its own. A step sees a leading part of both, whose
size is one of a few (a bucket); what lies in it behind the last token is masked. Where a step is, two numbers on the
device say, so that a recorded step can be run again at the next place.
"""

from __future__ import annotations

import attrs
import torch
from torch.nn import functional

ROWS = (1, 4, 12, 32)
"""Numbers of rows that a step is made for; the rows that are not in use are computed and ignored."""
_PROMPT = 256
"""Smallest part of the prompt's memory; others are twice, four times ... as large."""
_OWN = 32
"""The same for the tokens of a row."""


@attrs.frozen
class Bucket:
    """The shape of a step."""

    rows: int
    prompt: int
    own: int

    @classmethod
    def of(cls, rows: int, prompt: int, own: int) -> Bucket:
        """The smallest for so many rows, tokens of the prompt, and tokens of each row."""
        return cls(next((each for each in ROWS if each >= rows), rows), _doubled(_PROMPT, prompt), _doubled(_OWN, own))


class Memory:
    """Keys and values.

    Args:
        layers: Of the model.
        heads: Of keys and values, in each.
        width: Of one head.
    """

    def __init__(self, layers: int, heads: int, width: int, device: torch.device, dtype: torch.dtype) -> None:
        self._heads, self._width = heads, width
        # Leading 2: keys and values.
        self._prompt = torch.zeros((2, layers, heads, 0, width), device=device, dtype=dtype)
        self._own = torch.zeros((2, layers, 0, heads, 0, width), device=device, dtype=dtype)
        self._places = torch.arange(0, device=device)
        self.tokens = torch.zeros(0, device=device, dtype=torch.int64)
        """What the rows' next step reads; [rows]"""
        self._length = torch.zeros(1, device=device, dtype=torch.int64)
        self._place = torch.zeros_like(self._length)
        self.position = torch.zeros_like(self._length)
        """That of the rows' next token in the text; int64, [1]."""

    @property
    def room(self) -> Bucket:
        """What there is memory for."""
        return Bucket(self._own.shape[2], self._prompt.shape[3], self._own.shape[4])

    def reserve(self, needed: Bucket, known: int, written: int) -> bool:
        """Have memory for a bucket.

        Args:
            known: Tokens of the prompt to be kept.
            written: Tokens of each row to be kept.

        Returns:
            Whether something has moved, so that recorded steps are void.
        """
        room = self.room
        if needed.prompt > room.prompt:
            old = self._prompt
            self._prompt = old.new_zeros((*old.shape[:3], needed.prompt, self._width))
            self._prompt[:, :, :, :known] = old[:, :, :, :known]
        rows, own = max(needed.rows, room.rows), max(needed.own, room.own)
        if (rows, own) != (room.rows, room.own):
            former = self._own
            self._own = former.new_zeros((*former.shape[:2], rows, self._heads, own, self._width))
            self._own[:, :, : room.rows, :, :written] = former[:, :, :, :, :written]
            self.tokens = self.tokens.new_zeros(rows)
        if self.room == room:
            return False
        self._places = torch.arange(max(self.room.prompt, self.room.own), device=self._places.device)
        return True

    def append(self, layer: int, start: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Write tokens of the prompt, the first of them at `start`; [new, heads, width]."""
        end = start + len(keys)
        self._prompt[0, layer, :, start:end] = keys.transpose(0, 1)
        self._prompt[1, layer, :, start:end] = values.transpose(0, 1)

    def attend_prompt(self, layer: int, start: int, queries: torch.Tensor) -> torch.Tensor:
        """Attention from the prompt's last tokens, which begin at `start`, to it and to what was before.

        Args:
            queries: [new, query heads, width]

        Returns:
            [new, query heads x width]
        """
        new, heads, _ = queries.shape
        mask = None
        if start and new > 1:
            mask = torch.ones((new, start + new), dtype=torch.bool, device=queries.device).tril(start)
        keys, values = self._prompt[:, layer, None, :, : start + new]
        out = functional.scaled_dot_product_attention(
            queries.transpose(0, 1)[None],
            keys,
            values,
            attn_mask=mask,
            is_causal=start == 0 and new > 1,
            enable_gqa=heads != self._heads,
        )
        return out[0].transpose(0, 1).flatten(1)

    def begin(self, length: int) -> None:
        """Begin rows behind a prompt of `length` tokens."""
        # A mask takes nothing away from what is no number, and an earlier request may have left that.
        self._prompt[:, :, :, length:].zero_()
        self._own.zero_()
        self._length.fill_(length)
        self.position.fill_(length)
        self._place.zero_()

    def bias(self, bucket: Bucket) -> torch.Tensor:
        """What a step adds to its scores: zeros, and -inf where there is no token; [prompt + own]."""
        seen = torch.cat((self._places[: bucket.prompt] < self._length, self._places[: bucket.own] <= self._place))
        return torch.zeros_like(seen, dtype=self._own.dtype).masked_fill(~seen, -torch.inf)

    def attend_rows(
        self,
        layer: int,
        bucket: Bucket,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        """Write a token of every row, and attend from it to the prompt and to the row's own tokens.

        Args:
            queries: [rows, query heads, width]
            keys: As `values`, [rows, heads, width].
            bias: As `bias` gives it.

        Returns:
            [rows, query heads x width]
        """
        rows, heads, width = bucket.rows, self._heads, self._width
        for kind, new in enumerate((keys, values)):
            self._own[kind, layer, :rows].index_copy_(2, self._place, new[:, :, None])
        own_keys, own_values = self._own[:, layer, :rows, :, : bucket.own]
        prompt_keys, prompt_values = self._prompt[:, layer, :, : bucket.prompt]
        # Neighbouring queries share a head of the keys.
        asked = (queries * width**-0.5).view(rows, heads, -1, width)
        group = asked.shape[2]
        together = asked.transpose(0, 1).reshape(heads, rows * group, width)
        to_prompt = torch.bmm(together, prompt_keys.transpose(1, 2)).view(heads, rows, group, -1)
        to_own = torch.matmul(asked, own_keys.transpose(2, 3)).transpose(0, 1)
        scores = torch.cat((to_prompt, to_own), -1).add_(bias)
        weights = scores.softmax(-1, dtype=torch.float32).to(queries.dtype)
        from_prompt = torch.bmm(weights[..., : bucket.prompt].reshape(heads, rows * group, -1), prompt_values)
        from_own = torch.matmul(weights[..., bucket.prompt :].transpose(0, 1), own_values)
        out = from_prompt.view(heads, rows, group, width).transpose(0, 1) + from_own
        return out.reshape(rows, -1)

    def advance(self) -> None:
        """Go on to the next token of the rows."""
        self.position += 1
        self._place += 1

    def move(self, moves: list[tuple[int, int]]) -> None:
        """Move rows, each (from, to), into the places of others."""
        for source, target in moves:
            self._own[:, :, target] = self._own[:, :, source]


def _doubled(least: int, needed: int) -> int:
    """`least` times a power of two, and at least `needed`."""
    size = least
    while size < needed:
        size *= 2
    return size
