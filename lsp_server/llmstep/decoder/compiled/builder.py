"""Writes the operations of a transformer's parts into a program, on memory that all its layers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import arrays
from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.parts import Block, Cache, Heads, Norm
from llmstep.decoder.compiled.program import Operands
from llmstep.decoder.compiled.rowwise import PLAIN
from llmstep.decoder.weights import BLOCK, TILE, Weight, tiles


@dataclass(frozen=True, eq=False)
class Rows:
    """What products read: float32, or bytes with a scale and corrections (see `rowwise.quantize`) for each row."""

    numbers: NDArray[Any]
    scales: NDArray[np.float32] | None = None
    corrections: NDArray[np.int32] | None = None

    @classmethod
    def zeros(cls, rows: int, inputs: int, *, floats: bool) -> Rows:
        if floats:
            return cls(arrays.zeros((rows, inputs)))
        corrections = arrays.zeros((rows, inputs // BLOCK + 2), np.int32)
        return cls(arrays.zeros((rows, inputs), np.int8), arrays.zeros(rows), corrections)

    def operands(self, name: str) -> Operands:
        """For an operation that reads them (`source`) or writes them (`target`)."""
        stride = 0 if self.corrections is None else self.corrections.strides[0]
        more = {"row_scales": self.scales, "corrections": self.corrections, "corrections_stride": stride}
        return _rows(name, self.numbers) | more


class Builder:
    """A program that grows, and its memory.

    Args:
        hidden: Width of the residual stream, `hidden`, which is float32.
        widest: Outputs of the widest product except for the last, and inputs of the widest; what they write is `wide`.
        attended: Queries' heads times their width: what attention writes.
        vocabulary: Outputs of the last product, `logits`.
        rows: Rows that there is memory for.
        max_logits: The same for logits.
        floats: Whether products read float32 and not bytes.
    """

    def __init__(
        self,
        hidden: int,
        widest: int,
        attended: int,
        vocabulary: int,
        *,
        rows: int,
        max_logits: int,
        floats: bool,
        epsilon: float = 0.0,
    ) -> None:
        self.program, self._epsilon = p.Program(), epsilon
        self.hidden, self.wide, self.attended = (
            arrays.zeros((rows, tiles(width) * TILE)) for width in (hidden, widest, attended)
        )
        self.logits = arrays.zeros((max_logits, tiles(vocabulary) * TILE))
        inputs = -(-max(widest, hidden, attended) // 64) * 64
        self._read, self._kept = (Rows.zeros(rows, inputs, floats=floats) for _ in range(2))

    @property
    def scratch(self) -> int:
        """Numbers that one thread needs beside this memory, attention not counted."""
        return int(max(self.wide.shape[1], self.hidden.shape[1], TILE * (BLOCK // 4 + 1)))

    def block(
        self,
        block: Block,
        cache: Cache,
        places: Operands,
        *,
        own: Cache | None = None,
        cross: Cache | None = None,
        length: int = p.LENGTH,
    ) -> tuple[int, int]:
        """One layer, for the tokens of a text, or for samples with their `own` keys and values behind it.

        Args:
            length: The state that says how long the text is; tokens of a prompt see those before them, and tokens of
                an encoder's input see all.

        Returns:
            Where its operations begin and end.
        """
        start, heads = len(self.program), block.heads
        self.norm(block.norm)
        self.product(block.query_key_value, self.wide)
        if own is None:
            self.attention(p.STORE, heads, cache, places)
        self.attention(p.ATTEND, heads, cache, places, own=own, length=length)
        if block.parallel:
            self.norm(block.mlp_norm, into=self._kept)
        self.quantize(self.attended, block.attention_out.inputs)
        self.product(block.attention_out, self.hidden)
        if block.cross is not None and cross is not None:
            self.norm(block.cross.norm)
            self.product(block.cross.query, self.wide)
            self.attention(p.ATTEND, heads, cross, {}, length=p.INPUT)
            self.quantize(self.attended, block.cross.out.inputs)
            self.product(block.cross.out, self.hidden)
        if not block.parallel:
            self.norm(block.mlp_norm)
        self.product(block.mlp_in, self.wide, read=self._kept if block.parallel else None)
        self.quantize(self.wide, block.mlp_out.inputs, activation=block.activation, gated=block.gated)
        self.product(block.mlp_out, self.hidden)
        return start, len(self.program)

    def norm(self, norm: Norm, *, into: Rows | None = None) -> None:
        """The norm of the residual stream, for products."""
        places = {**_rows("source", self.hidden), **(into or self._read).operands("target"), **_norm("norm", norm)}
        self.program.add(p.NORM, **places, width=len(norm.weight), epsilon=self._epsilon)

    def quantize(self, source: NDArray[Any], width: int, *, activation: int = PLAIN, gated: bool = False) -> None:
        """The first `width` numbers of rows for products, through an activation function."""
        places = {**_rows("source", source), **self._read.operands("target")}
        self.program.add(p.GATE, **places, width=width, activation=activation, gated=gated)

    def product(self, weight: Weight, target: NDArray[Any], *, read: Rows | None = None) -> None:
        """Rows times a weight; what goes to the residual stream is added to it."""
        self.program.add(
            p.PRODUCT,
            **(read or self._read).operands("source"),
            **_rows("target", target),
            weight_kind=p.KINDS[weight.kind],
            weight=weight.matrix,
            steps=weight.steps,
            tiles=weight.tiles,
            weight_scales=weight.scales,
            bias=weight.bias,
            add=target is self.hidden,
        )

    def attention(
        self,
        kind: int,
        heads: Heads,
        cache: Cache,
        places: Operands,
        *,
        own: Cache | None = None,
        length: int = p.LENGTH,
    ) -> None:
        """Keys and values from `wide` into a cache, or attention of rows to it, or of samples to it and to their own.

        Args:
            kind: STORE or ATTEND.
            cache: Of one layer.
            places: What `positions` has.
            length: See `block`.
        """
        more: dict[str, Any] = {**_norm("query_norm", heads.query_norm), **_norm("key_norm", heads.key_norm), **places}
        for name, (first, following) in {"query": heads.query, "key": heads.key, "value": heads.value}.items():
            more |= {name: 4 * first, f"next_{name}": 4 * following}
        if own is not None:
            _, more["max_rows"], more["max_tokens"], _ = own.keys.shape
            more |= {"own_keys": own.keys, "own_values": own.values}
        self.program.add(
            kind,
            **_rows("source", self.wide),
            **_rows("target", self.attended),
            heads=heads.key_heads,
            group=heads.heads // heads.key_heads,
            width=heads.width,
            keys=cache.keys,
            values=cache.values,
            capacity=cache.keys.shape[-1],
            unit=cache.keys.itemsize,
            length=length,
            causal=length == p.LENGTH and own is None,
            epsilon=self._epsilon,
            scale=heads.scale,
            **more,
        )


def _rows(name: str, array: NDArray[Any]) -> dict[str, Any]:
    """Rows of memory, and bytes from one to the next."""
    return {name: array, f"{name}_stride": array.strides[0]}


def _norm(name: str, norm: Norm | None) -> dict[str, Any]:
    return {} if norm is None else {name: norm.weight, f"{name}_bias": norm.bias}
