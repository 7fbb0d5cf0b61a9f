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
FIRST_OWN = 128
"""Tokens of its own that a row gets room for at first; those that grow longer get twice as much."""


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
        scale: Factor of the scores.
    """

    def __init__(
        self, layers: int, heads: int, width: int, scale: float, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._heads, self._width, self._scale = heads, width, scale
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

    def holds(self, needed: Bucket) -> bool:
        """Whether there is memory for a bucket."""
        room = self.room
        enough = needed.rows <= room.rows and needed.prompt <= room.prompt and needed.own <= room.own
        return enough and len(self.tokens) == room.rows and len(self._places) >= max(room.prompt, room.own)

    def reserve(self, needed: Bucket, known: int, written: int) -> None:
        """Have memory for a bucket and for all that there was memory for; where there is too little, addresses change.

        When this fails for want of memory, `holds` says that there is none.

        Args:
            known: Tokens of the prompt to be kept.
            written: Tokens of each row to be kept.
        """
        room = self.room
        if needed.prompt > room.prompt:
            prompt = self._prompt.new_zeros((*self._prompt.shape[:3], needed.prompt, self._width))
            prompt[:, :, :, :known] = self._prompt[:, :, :, :known]
            self._prompt = prompt
        rows, length = max(needed.rows, room.rows), max(needed.own, room.own)
        if (rows, length) != (room.rows, room.own):
            layers = self._own.shape[1]
            if not written:  # the old memory is free for the new
                self._own = self._own.new_zeros((2, layers, 0, self._heads, 0, self._width))
            own = self._own.new_zeros((2, layers, rows, self._heads, length, self._width))
            own[:, :, : self._own.shape[2], :, :written] = self._own[:, :, :, :, :written]
            self._own = own
        self.tokens = self.tokens.new_zeros(rows)
        self._places = torch.arange(max(self.room.prompt, length), device=self._places.device)

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

    def begin(self, length: int, place: int = 0) -> None:
        """Begin rows behind a prompt of `length` tokens; the next token of each will be its own at `place`."""
        # A mask takes nothing away from what is no number, and an earlier request may have left that.
        self._prompt[:, :, :, length:].zero_()
        self._own.zero_()
        self._length.fill_(length)
        self._place.fill_(place)
        self.position.fill_(length + place)

    def prompt_bias(self, bucket: Bucket) -> torch.Tensor:
        """What a step adds to its scores for the prompt: zeros, and -inf where there is no token; [prompt]."""
        return self._zeros_where(self._places[: bucket.prompt] < self._length)

    def own_bias(self, bucket: Bucket) -> torch.Tensor:
        """The same for a row's own tokens, with the one that is being written; [own]."""
        return self._zeros_where(self._places[: bucket.own] <= self._place)

    def distances(self, bucket: Bucket) -> torch.Tensor:
        """How far back each of a row's own tokens is; int64, [own], 0 for those that are not there."""
        return (self._place - self._places[: bucket.own]).clamp_min(0)

    def write(self, layer: int, bucket: Bucket, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Write the next token of every row; [rows, heads, width]."""
        for kind, new in enumerate((keys, values)):
            self._own[kind, layer, : bucket.rows].index_copy_(2, self._place, new[:, :, None])

    def write_alike(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Write tokens with which all rows begin; [tokens, heads, width]."""
        for kind, new in enumerate((keys, values)):
            self._own[kind, layer, :, :, : len(new)] = new.transpose(0, 1)

    def attend(self, layer: int, bucket: Bucket, queries: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Attention from the token of every row that was just written to the prompt and to the row's own tokens.

        Args:
            queries: [rows, query heads, width]
            bias: What to add to the scores, [prompt + own].

        Returns:
            [rows, query heads x width]
        """
        rows, group, room = bucket.rows, queries.shape[1] // self._heads, bucket.prompt
        asked = self._asked(queries)
        to_prompt = self._to_prompt(layer, bucket, asked).view(self._heads, rows, group, room)
        to_own = torch.matmul(asked, self._own[0, layer, :rows, :, : bucket.own].transpose(2, 3)).transpose(0, 1)
        weights = torch.cat((to_prompt, to_own), -1).add_(bias).softmax(-1)  # [heads, rows, group, prompt + own]
        out = torch.matmul(weights[..., room:].transpose(0, 1), self._own[1, layer, :rows, :, : bucket.own])
        shared = weights[..., :room].reshape(self._heads, rows * group, room)
        from_prompt = torch.bmm(shared, self._prompt[1, layer, :, :room]).view(self._heads, rows, group, self._width)
        return (out + from_prompt.transpose(0, 1)).reshape(rows, -1)

    def attend_own(self, layer: int, bucket: Bucket, queries: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """As `attend`, to the row's own tokens alone; with as many heads for keys, and a bias [heads, own]."""
        own_keys, own_values = self._own[:, layer, : bucket.rows, :, : bucket.own]
        scores = torch.matmul(self._asked(queries), own_keys.transpose(2, 3)).add_(bias[:, None])
        return torch.matmul(scores.softmax(-1), own_values).reshape(bucket.rows, -1)

    def attend_shared(self, layer: int, bucket: Bucket, queries: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """As `attend`, to the prompt alone and from any number of tokens; the bias is [prompt]."""
        scores = self._to_prompt(layer, bucket, self._asked(queries)).add_(bias)
        out = torch.bmm(scores.softmax(-1), self._prompt[1, layer, :, : bucket.prompt])
        return out.view(self._heads, len(queries), -1).transpose(0, 1).reshape(len(queries), -1)

    def _asked(self, queries: torch.Tensor) -> torch.Tensor:
        """[tokens, heads, group, width]: neighbouring queries share a head of the keys."""
        return (queries * self._scale).view(len(queries), self._heads, -1, self._width)

    def _to_prompt(self, layer: int, bucket: Bucket, asked: torch.Tensor) -> torch.Tensor:
        """Scores of the prompt, [heads, tokens x group, prompt]."""
        together = asked.transpose(0, 1).reshape(self._heads, -1, self._width)
        return torch.bmm(together, self._prompt[0, layer, :, : bucket.prompt].transpose(1, 2))

    def _zeros_where(self, seen: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(seen, dtype=self._own.dtype).masked_fill_(~seen, -torch.inf)

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
