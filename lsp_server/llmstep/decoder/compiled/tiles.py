"""The innermost loops, as LLVM code: a few rows times 32 outputs.

A tile keeps its sums in registers while it goes through the inputs once. Compilers spill them when such a loop is left
to them, so that it is written down here instruction by instruction; numba compiles it together with what calls it.
All arguments are integers: addresses, numbers, and for strides numbers of bytes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from llmstep.decoder.compiled.dots import OFFSET, dot, dot_row, dot_weights
from llmstep.decoder.compiled.llvm import (
    F32,
    FLOATS,
    I8,
    I32,
    INTS,
    LANES,
    SHORTS,
    WIDTH,
    Loop,
    all_of,
    either,
    for_each_number_of_rows,
    load,
    load_halves,
    multiply_add,
    number,
    plus,
    prefetch,
    spread,
    store,
)
from llmstep.decoder.compiled.target import target
from llmstep.decoder.weights import BLOCK_BYTES, TILE

BYTES_ROWS, _BYTES_VECTORS = target().bytes_tile
NIBBLES_ROWS = target().nibbles_rows
FLOATS_ROWS, _FLOATS_VECTORS = target().floats_tile
_AHEAD = 8192
"""Bytes of the weights that are asked for before they are needed; with few rows the processor itself looks ahead."""


@intrinsic
def bytes_tile(
    context, few, rows, left, left_stride, row_scales, more, more_stride, right, count, scales, bias, out, stride, add
):
    """A tile of a product in eight bits: `out = left (right - 128)ᵀ * scales * row_scales + bias`.

    Args:
        few: Whether `right` has four bits.
        rows: 1 to BYTES_ROWS, or with four bits to NIBBLES_ROWS.
        left: Signed bytes.
        row_scales: float32, one a row.
        more: int32, one a row: -128 times the sum of the row.
        right: Unsigned bytes, `count` times [32 outputs, 4 inputs]; or `count` groups of what `unpack` reads.
        scales: float32 [32].
        bias: float32 [32].
        out: float32 [rows, 32].
        add: Whether to add what is in `out`.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        either(builder, arguments[0], lambda few: _bytes(builder, arguments[1:], nibbles=few))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 14), generate


def _bytes(builder: ir.IRBuilder, arguments: Any, *, nibbles: bool) -> None:
    """A tile of a product of bytes, whose right side may have four bits."""
    rows, left, left_stride, row_scales, more, more_stride, right, count, scales, bias, out, stride, add = arguments
    lines, halves = (4, 2) if nibbles else (1, 1)

    def write(most: int) -> None:
        # The fewer rows, the more registers of outputs at once, so that weights are read in their order.
        fitting = (each for each in (2, 4) if each * most <= BYTES_ROWS * _BYTES_VECTORS and each * WIDTH <= 4 * TILE)
        vectors, ahead = max([_BYTES_VECTORS, *fitting]), _AHEAD if nibbles or most > 2 else _AHEAD // 4
        parts, beyond = _parts(builder, vectors)
        lefts = _rows(builder, left, left_stride, most)
        beside = builder.add(builder.add(right, builder.mul(count, number(16 * TILE))), builder.lshr(beyond, number(2)))
        # One row would wait for its own sums: with four bits it has two of each, which are added in the end.
        chains, size = (2 if nibbles and most == 1 else 1), most * vectors
        nulls = [ir.Constant(INTS, None)] * (size * chains)
        loop = Loop(builder, count, [builder.add(right, beyond), beside, *nulls], "bytes")
        place, beside, *sums = loop.values
        offset = builder.mul(loop.step, number(4 * lines * halves))
        extra = [_factor(builder, plus(builder, beside, LANES * each)) for each in range(vectors)] if nibbles else []
        for line in range(lines):
            addresses = [plus(builder, place, 4 * TILE * line + WIDTH * each) for each in range(vectors)]
            raw = [load(builder, address, INTS) for address in addresses]
            for address in addresses:
                prefetch(builder, plus(builder, address, ahead))
            for half in range(halves):
                octets = [_unpacked(builder, *pair, half) for pair in zip(raw, extra, strict=True)] if nibbles else raw
                weights = [dot_weights(builder, each) for each in octets]
                for row in range(most):
                    numbers = dot_row(builder, plus(builder, builder.add(lefts[row], offset), 8 * line + 4 * half))
                    for vector in range(vectors):
                        each = half % chains * size + row * vectors + vector
                        sums[each] = dot(builder, sums[each], weights[vector], numbers)
        loop.end([plus(builder, place, 4 * TILE * lines), plus(builder, beside, TILE), *sums])
        if chains == 2:
            sums = [builder.add(*both) for both in zip(sums[:size], sums[size:], strict=True)]
        factors = _registers(builder, builder.add(scales, beyond), vectors)
        moves = _registers(builder, builder.add(bias, beyond), vectors)
        corrections = _rows(builder, more, more_stride, most)
        found = []
        for row in range(most):
            scale = spread(builder, load(builder, plus(builder, row_scales, 4 * row), F32), FLOATS)
            for vector in range(vectors):
                whole = sums[row * vectors + vector]
                if OFFSET:
                    whole = builder.add(whole, spread(builder, load(builder, corrections[row], I32), INTS))
                scaled = builder.fmul(builder.sitofp(whole, FLOATS), factors[vector])
                found.append(multiply_add(builder, scaled, scale, moves[vector]))
        _give(builder, found, builder.add(out, beyond), stride, most, add)
        parts.end([])

    for_each_number_of_rows(builder, rows, NIBBLES_ROWS if nibbles else BYTES_ROWS, write)


@intrinsic
def unpack(context, right, groups, target):
    """Weights in four bits become those that `bytes_tile` reads: 8 less than a nibble, times its group's factor.

    Args:
        right: Bytes [groups, 4, 32 outputs, 4 inputs], the lower halves of one quarter and the upper ones of the next;
            then signed bytes [groups, 32], the factors, -15 to 15.
        target: Unsigned bytes [groups, 8, 32, 4].
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        right, groups, target = arguments
        factors = builder.add(right, builder.mul(groups, number(16 * TILE)))
        loop = Loop(builder, groups, [right, factors, target], "unpack")
        raw_place, factor_place, place = loop.values
        for vector in range(4 * TILE // WIDTH):
            factor = _factor(builder, plus(builder, factor_place, LANES * vector))
            for line in range(4):
                address = plus(builder, raw_place, 4 * TILE * line + WIDTH * vector)
                prefetch(builder, plus(builder, address, BLOCK_BYTES))
                raw = load(builder, address, INTS)
                for half in range(2):
                    found = _unpacked(builder, raw, factor, half)
                    store(builder, found, plus(builder, place, 4 * TILE * (2 * line + half) + WIDTH * vector))
        sizes = (16 * TILE, TILE, 32 * TILE)
        loop.end([plus(builder, each, size) for each, size in zip(loop.values, sizes, strict=True)])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), generate


def _factor(builder: ir.IRBuilder, address: Any) -> tuple[Any, Any]:
    """A register of factors, and what brings products of them with nibbles to 128 more than what they mean."""
    whole = builder.sext(load(builder, address, ir.VectorType(I8, LANES), 1), INTS)
    both = builder.or_(builder.and_(whole, all_of(INTS, 0xFFFF)), builder.shl(whole, all_of(INTS, 16)))
    factor = builder.bitcast(both, SHORTS)
    return factor, builder.add(builder.mul(factor, all_of(SHORTS, -8 * 0x0101)), all_of(SHORTS, -0x7F80))


def _unpacked(builder: ir.IRBuilder, raw: Any, factor: tuple[Any, Any], half: int) -> Any:
    """The lower or the upper halves of bytes, as bytes. All are from 8 to 248, so that none reaches its neighbour."""
    moved = builder.lshr(raw, all_of(INTS, 4)) if half else raw
    few = builder.bitcast(builder.and_(moved, all_of(INTS, 0x0F0F0F0F)), SHORTS)
    return builder.bitcast(builder.add(builder.mul(few, factor[0]), factor[1]), INTS)


@intrinsic
def floats_tile(context, halves, rows, left, left_stride, right, right_stride, count, bias, out, stride, add):
    """A tile of a product in float32: `out = left @ right + bias`.

    Args:
        halves: Whether `right` has float16.
        rows: 1 to FLOATS_ROWS.
        left: [rows, count]
        right: [count, 32]
        bias: [32]
        out: [rows, 32]
        add: Whether to add what is in `out`.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        either(builder, arguments[0], lambda halves: _floats(builder, arguments[1:], halves=halves))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 11), generate


def _floats(builder: ir.IRBuilder, arguments: Any, *, halves: bool) -> None:
    rows, left, left_stride, right, right_stride, count, bias, out, stride, add = arguments
    vectors = _FLOATS_VECTORS

    def write(most: int) -> None:
        parts, beyond = _parts(builder, vectors)
        lefts = _rows(builder, left, left_stride, most)
        start = builder.add(right, builder.lshr(beyond, number(1)) if halves else beyond)
        loop = Loop(builder, count, [start, *[ir.Constant(FLOATS, None)] * (most * vectors)], "floats")
        place, *sums = loop.values
        weights = _registers(builder, place, vectors, halves=halves)
        offset = builder.mul(loop.step, number(4))
        for row in range(most):
            one = spread(builder, load(builder, builder.add(lefts[row], offset), F32), FLOATS)
            for each in range(vectors):
                sums[row * vectors + each] = multiply_add(builder, one, weights[each], sums[row * vectors + each])
        loop.end([builder.add(place, right_stride), *sums])
        moves = _registers(builder, builder.add(bias, beyond), vectors)
        found = [builder.fadd(each, moves[place % vectors]) for place, each in enumerate(sums)]
        _give(builder, found, builder.add(out, beyond), stride, most, add)
        parts.end([])

    for_each_number_of_rows(builder, rows, FLOATS_ROWS, write)


def _parts(builder: ir.IRBuilder, vectors: int) -> tuple[Loop, Any]:
    """A loop over the parts of a tile that are done at once, and the bytes of 32-bit outputs before each."""
    loop = Loop(builder, number(4 * TILE // (vectors * WIDTH)), [], "part")
    return loop, builder.mul(loop.step, number(vectors * WIDTH))


def _rows(builder: ir.IRBuilder, start: Any, stride: Any, count: int) -> list[Any]:
    """Addresses of rows."""
    return [builder.add(start, builder.mul(stride, number(row))) if row else start for row in range(count)]


def _registers(builder: ir.IRBuilder, start: Any, count: int, *, halves: bool = False) -> list[Any]:
    """Numbers that follow each other in memory, in 32 or in 16 bits."""
    if halves:
        return [load_halves(builder, plus(builder, start, WIDTH // 2 * each)) for each in range(count)]
    return [load(builder, plus(builder, start, WIDTH * each), FLOATS) for each in range(count)]


def _give(builder: ir.IRBuilder, found: list[Any], out: Any, stride: Any, rows: int, add: Any) -> None:
    """Store what was found for each row, or add it to what is there."""
    vectors = len(found) // rows
    places = [plus(builder, row, WIDTH * each) for row in _rows(builder, out, stride, rows) for each in range(vectors)]

    def store_all(added: bool) -> None:
        for result, place in zip(found, places, strict=True):
            store(builder, builder.fadd(load(builder, place, FLOATS), result) if added else result, place)

    either(builder, add, store_all)
