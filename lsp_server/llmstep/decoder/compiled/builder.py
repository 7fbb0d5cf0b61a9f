"""Writes the operations of a transformer's parts into a program, on memory that all its layers share.

hidden: the residual stream, float32; read: what products read, bytes with a scale for each row, or float32; wide: what
most products write; attended: what attention writes.
"""

from __future__ import annotations

import numpy as np

from llmstep.decoder import arrays
from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.attention import BLOCK as QUERIES
from llmstep.decoder.compiled.parts import NOT_ROTATED, Angles, Block, Cache, Heads, Norm, Rows
from llmstep.decoder.compiled.program import Program
from llmstep.decoder.compiled.rowwise import PLAIN
from llmstep.decoder.weights import BLOCK, TILE, Kind, Weight, tiles

KINDS: dict[Kind, int] = {"int8": p.BYTES, "int4": p.NIBBLES, "float32": p.FLOATS}


class Builder:
    """Writes a program.

    Args:
        program: Empty or not.
        hidden: Width of the residual stream.
        widest: Outputs of the widest product except for the last, and inputs of the widest.
        attended: Queries' heads times their width.
        vocabulary: Outputs of the last product.
        floats: Whether products read float32 and not bytes.
    """

    def __init__(
        self, program: Program, hidden: int, widest: int, attended: int, vocabulary: int, *, floats: bool = False
    ) -> None:
        self.program = program
        self._widths = {
            "hidden": tiles(hidden) * TILE,
            "wide": tiles(widest) * TILE,
            "attended": tiles(attended) * TILE,
            "logits": tiles(vocabulary) * TILE,
        }
        self._inputs = -(-max(widest, hidden, attended) // 64) * 64
        self._floats = floats
        self.rows = 0
        self.numbers = {name: program.memory(arrays.empty(0)) for name in self._widths}
        self.read, self.kept = self._rows(), self._rows()
        self.hidden = self.logits = arrays.empty(0)
        self._group, self._head = 1, 0

    def _rows(self) -> Rows:
        """What products read, without memory yet."""
        memory, stride = self.program.memory, 4 * (self._inputs // BLOCK + 2)
        if self._floats:
            return Rows(memory(arrays.empty(0)), 4 * self._inputs, 0, 0, 0)
        return Rows(memory(arrays.empty(0)), self._inputs, memory(arrays.empty(0)), memory(arrays.empty(0)), stride)

    def reserve(self, rows: int, most_logits: int) -> None:
        """Have room for so many rows, and logits of so many."""
        replace = self.program.replace
        if rows > self.rows:
            self.rows = rows
            for name, width in self._widths.items():
                if name != "logits":
                    made = arrays.zeros((rows, width))
                    replace(self.numbers[name], made)
                    if name == "hidden":
                        self.hidden = made
            for each in (self.read, self.kept):
                replace(each.rows, arrays.zeros((rows, self._inputs), np.float32 if self._floats else np.int8))
                if not self._floats:
                    replace(each.scales, arrays.zeros(rows))
                    replace(each.more, arrays.zeros((rows, each.more_stride // 4), np.int32))
        if most_logits > len(self.logits):
            self.logits = arrays.zeros((most_logits, self._widths["logits"]))
            replace(self.numbers["logits"], self.logits)

    def scratch_for(self, state: np.ndarray) -> int:
        """Numbers that one thread needs beside this memory."""
        lengths = [int(state[each]) for each in (p.LENGTH, p.INPUT, p.CROSS, p.LONGEST)]
        columns = max(lengths[:3]) + lengths[3] + 4 * TILE
        queries = max(QUERIES, self._group * max(1, int(state[p.MOST])))
        attention = queries * (2 * self._head + columns + TILE)
        return int(max(attention, self._widths["wide"], self._widths["hidden"], TILE * (BLOCK // 4 + 1)))

    def block(
        self,
        block: Block,
        cache: Cache,
        angles: Angles = NOT_ROTATED,
        *,
        own: tuple[int, int] | None = None,
        cross: Cache | None = None,
        causal: bool = True,
        biases: int = 0,
        max_distance: int = p.ZERO,
    ) -> tuple[int, int]:
        """One layer, for the tokens of a prompt, or for samples with their `own` keys and values behind it.

        Returns:
            Where its operations begin and end.
        """
        start, heads = len(self.program), block.heads
        self.norm(block.norm)
        self.product(block.query_key_value, "wide")
        if own is not None:
            self.attend_rows(heads, cache, own, angles, biases)
        else:
            self.store(heads, cache, angles)
            self.attend(heads, cache, angles, causal=causal, biases=biases, max_distance=max_distance)
        if block.parallel:
            self.norm(block.mlp_norm, into=self.kept)
        self.quantize("attended", block.attention_out.inputs)
        self.product(block.attention_out, "hidden")
        if block.cross is not None and cross is not None:
            self.norm(block.cross.norm)
            self.product(block.cross.query, "wide")
            self.attend(heads, cross, angles, causal=False)
            self.quantize("attended", block.cross.out.inputs)
            self.product(block.cross.out, "hidden")
        if not block.parallel:
            self.norm(block.mlp_norm)
        self.product(block.mlp_in, "wide", read=self.kept if block.parallel else None)
        self.quantize("wide", block.mlp_out.inputs, activation=block.activation, gated=block.gated)
        self.product(block.mlp_out, "hidden")
        return start, len(self.program)

    def norm(self, norm: Norm, *, into: Rows | None = None) -> None:
        """The norm of the residual stream, for products."""
        places = (*self._place("hidden"), len(norm.weight), *self._norm(norm), *(into or self.read).places)
        self.program.add(p.NORM, *places, numbers=(norm.epsilon,))

    def quantize(self, name: str, width: int, *, activation: int = PLAIN, gated: bool = False) -> None:
        """The first `width` numbers of rows for products, through an activation function."""
        self.program.add(p.GATE, *self._place(name), width, activation, int(gated), *self.read.places)

    def product(self, weight: Weight, target: str, *, read: Rows | None = None) -> None:
        """Rows times a weight; what goes to the residual stream is added to it."""
        memory, places = self.program.memory, (read or self.read).places
        matrix = (memory(weight.matrix), weight.count, weight.tiles, memory(weight.scales), memory(weight.bias))
        added = int(target == "hidden")
        self.program.add(p.PRODUCT, KINDS[weight.kind], *places, *matrix, *self._place(target), added)

    def store(self, heads: Heads, cache: Cache, angles: Angles) -> None:
        """Keys and values of a prompt's tokens, from `wide`, into a cache."""
        self._group, self._head = heads.heads // heads.key_heads, heads.width
        read = (heads.key_heads, *self._place("wide"), *_in_bytes(heads.key), *_in_bytes(heads.value), heads.width)
        kept = (cache.keys, cache.values, cache.capacity)
        turned = (*self._norm(heads.key_norm), *angles.places)
        self.program.add(p.STORE, *read, *kept, *turned, numbers=_fractions(heads))

    def attend(
        self, heads: Heads, cache: Cache, angles: Angles, *, causal: bool, biases: int = 0, max_distance: int = p.ZERO
    ) -> None:
        """Attention of rows to what a cache has."""
        read = (*self._heads(heads), *_in_bytes(heads.query), heads.width)
        kept = (cache.keys, cache.values, cache.capacity, cache.length, int(causal), biases, max_distance)
        turned = (*self._norm(heads.query_norm), *angles.places)
        self.program.add(p.ATTEND, *read, *kept, *self._place("attended"), *turned, numbers=_fractions(heads))

    def attend_rows(self, heads: Heads, cache: Cache, own: tuple[int, int], angles: Angles, biases: int = 0) -> None:
        """Attention of samples to the prompt and to their own tokens."""
        places = (*_in_bytes(heads.query), *_in_bytes(heads.key), *_in_bytes(heads.value), heads.width)
        read, kept = (*self._heads(heads), *places), (cache.keys, cache.values, *own, biases)
        turned = (*self._norm(heads.query_norm), *self._norm(heads.key_norm), *angles.places)
        self.program.add(p.ATTEND_ROWS, *read, *kept, *self._place("attended"), *turned, numbers=_fractions(heads))

    def _place(self, name: str) -> tuple[int, int]:
        """The number of a piece of memory, and bytes from row to row."""
        return self.numbers[name], 4 * self._widths[name]

    def _heads(self, heads: Heads) -> tuple[int, int, int, int]:
        return heads.key_heads, heads.heads // heads.key_heads, *self._place("wide")

    def _norm(self, norm: Norm | None) -> tuple[int, int]:
        if norm is None:
            return 0, 0
        return self.program.memory(norm.weight), self.program.memory(norm.bias)


def _in_bytes(place: tuple[int, int]) -> tuple[int, int]:
    return 4 * place[0], 4 * place[1]


def _fractions(heads: Heads) -> tuple[float, float]:
    """The epsilon of the norms of queries and keys, and the scale of the scores."""
    return 0.0 if heads.query_norm is None else heads.query_norm.epsilon, heads.scale
