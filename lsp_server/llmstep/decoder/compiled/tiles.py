"""The innermost loops, as LLVM code: a few rows times 32 outputs.

A tile keeps its sums in registers while it goes through the inputs once. Compilers spill them when such a loop is left
to them, so that it is written down here instruction by instruction; numba compiles it together with what calls it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from llmstep.decoder.compiled.dots import DOTS, OFFSET
from llmstep.decoder.compiled.llvm import (
    F32,
    FLOATS,
    I32,
    INTS,
    WIDTH,
    Loop,
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

OUTPUTS = 32
"""Outputs of a tile."""
GROUP = 32
"""Inputs that share a scale in four bits."""
NIBBLES_BLOCK = 16 * OUTPUTS + 2 * OUTPUTS
"""Bytes of a group of a tile in four bits: four times the nibbles of two quarters, and scales in 16 bits."""
BYTES_ROWS, _BYTES_VECTORS = target().bytes_tile
NIBBLES_ROWS, _NIBBLES_VECTORS = target().nibbles_tile
FLOATS_ROWS, _FLOATS_VECTORS = target().floats_tile
_PAIRS = 4 if WIDTH == 64 else 1
"""Pairs of quarters whose nibbles are in registers at a time."""
_AHEAD = 2048
"""Bytes of the weights that are asked for before they are needed."""
_ZEROS, _NULLS = ir.Constant(FLOATS, None), ir.Constant(INTS, None)


def _parts(builder: ir.IRBuilder, vectors: int) -> tuple[Loop, Any]:
    """A loop over the parts of a tile that are done at once, and the bytes of 32-bit outputs before each."""
    loop = Loop(builder, number(4 * OUTPUTS // (vectors * WIDTH)), [], "part")
    return loop, builder.mul(loop.step, number(vectors * WIDTH))


def _rows(builder: ir.IRBuilder, start: Any, stride: Any, count: int) -> list[Any]:
    """Addresses of rows."""
    return [builder.add(start, builder.mul(stride, number(row))) if row else start for row in range(count)]


def _write(builder: ir.IRBuilder, found: list[Any], places: list[Any], add: Any) -> None:
    """Store results, or add them to what is there."""
    with builder.if_else(builder.icmp_signed("!=", add, number(0))) as (then, otherwise):
        with then:
            for result, place in zip(found, places, strict=True):
                store(builder, builder.fadd(load(builder, place, FLOATS), result), place)
        with otherwise:
            for result, place in zip(found, places, strict=True):
                store(builder, result, place)


@intrinsic
def bytes_tile(
    context, rows, left, left_stride, row_scales, more, more_stride, right, count, scales, bias, out, out_stride, add
):
    """A tile of a product in eight bits: `out = left (right - 128)ᵀ * scales * row_scales + bias`.

    All arguments are integers: addresses, or numbers of bytes for strides.

    Args:
        rows: 1 to BYTES_ROWS.
        left: Signed bytes.
        row_scales: float32, one a row.
        more: int32, one a row: -128 times the sum of the row.
        right: Unsigned bytes, `count` times [32 outputs, 4 inputs].
        scales: float32 [32].
        bias: float32 [32].
        out: float32 [rows, 32].
        add: Whether to add what is in `out`.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        (rows, left, left_stride, row_scales, more, more_stride, right, count, scales, bias, out, out_stride, add) = (
            arguments
        )
        vectors = _BYTES_VECTORS

        def write(most: int) -> None:
            parts, beyond = _parts(builder, vectors)
            lefts = _rows(builder, left, left_stride, most)
            loop = Loop(builder, count, [builder.add(right, beyond), *[_NULLS] * (most * vectors)], "bytes")
            place, *sums = loop.values
            weights = []
            for vector in range(vectors):
                address = plus(builder, place, WIDTH * vector)
                weights.append(DOTS.weights(builder, load(builder, address, INTS)))
                prefetch(builder, plus(builder, address, _AHEAD))
            offset = builder.mul(loop.step, number(4))
            new = []
            for row in range(most):
                numbers = DOTS.row(builder, builder.add(lefts[row], offset))
                for vector in range(vectors):
                    new.append(DOTS.dot(builder, sums[row * vectors + vector], weights[vector], numbers))
            _, *sums = loop.end([plus(builder, place, 4 * OUTPUTS), *new])
            factors, moves = (
                [
                    load(builder, plus(builder, builder.add(start, beyond), WIDTH * each), FLOATS)
                    for each in range(vectors)
                ]
                for start in (scales, bias)
            )
            outs = _rows(builder, builder.add(out, beyond), out_stride, most)
            corrections = _rows(builder, more, more_stride, most)
            found, places = [], []
            for row in range(most):
                scale = spread(builder, load(builder, plus(builder, row_scales, 4 * row), F32), FLOATS)
                for vector in range(vectors):
                    whole = sums[row * vectors + vector]
                    if OFFSET:
                        whole = builder.add(whole, spread(builder, load(builder, corrections[row], I32), INTS))
                    scaled = builder.fmul(builder.sitofp(whole, FLOATS), factors[vector])
                    found.append(multiply_add(builder, scaled, scale, moves[vector]))
                    places.append(plus(builder, outs[row], WIDTH * vector))
            _write(builder, found, places, add)
            parts.end([])

        for_each_number_of_rows(builder, rows, BYTES_ROWS, write)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 13), generate


@intrinsic
def nibbles_tile(
    context, rows, left, left_stride, row_scales, more, more_stride, right, count, bias, out, out_stride, add
):
    """A tile of a product in four bits, as `bytes_tile`.

    Args:
        rows: 1 to NIBBLES_ROWS.
        more: int32 [count], for each row: -8 times the sum of each group.
        right: `count` groups of NIBBLES_BLOCK bytes: four times [32 outputs, 4 inputs], the lower nibbles of one
            quarter and the upper ones of the next; then float16 scales [32].
        count: Groups.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        rows, left, left_stride, row_scales, more, more_stride, right, count, bias, out, out_stride, add = arguments
        vectors = _NIBBLES_VECTORS

        def write(most: int) -> None:
            parts, beyond = _parts(builder, vectors)
            lefts = _rows(builder, left, left_stride, most)
            corrections = _rows(builder, more, more_stride, most)
            scales = builder.add(builder.add(right, builder.lshr(beyond, number(1))), number(16 * OUTPUTS))
            starts = [builder.add(right, beyond), scales, *[_ZEROS] * (most * vectors)]
            loop = Loop(builder, count, starts, "nibbles")
            place, scales, *sums = loop.values
            offset = builder.mul(loop.step, number(GROUP))
            small, moves = [], []
            for row in range(most):
                at = builder.add(corrections[row], builder.mul(loop.step, number(4)))
                moves.append(spread(builder, load(builder, at, I32), INTS))
                small += [DOTS.begin_few(builder, moves[row])] * vectors
            # Row by row within what the registers hold, so that a row's address is there once for many products.
            for first in range(0, 4, _PAIRS):
                halves = []
                for pair in range(first, first + _PAIRS):
                    address = plus(builder, place, 4 * OUTPUTS * pair)
                    prefetch(builder, plus(builder, address, _AHEAD))
                    raw = [load(builder, plus(builder, address, WIDTH * each), INTS) for each in range(vectors)]
                    halves += list(zip(*(DOTS.nibbles(builder, each) for each in raw), strict=True))
                for row in range(most):
                    start = builder.add(lefts[row], offset)
                    for quarter, each_half in enumerate(halves, 2 * first):
                        numbers = DOTS.row(builder, plus(builder, start, 4 * quarter))
                        for vector in range(vectors):
                            each = row * vectors + vector
                            small[each] = DOTS.dot_few(builder, small[each], each_half[vector], numbers)
            factors = [load_halves(builder, plus(builder, scales, WIDTH // 2 * each)) for each in range(vectors)]
            new = []
            for row in range(most):
                for vector in range(vectors):
                    each = row * vectors + vector
                    whole = DOTS.end_few(builder, small[each], moves[row])
                    new.append(multiply_add(builder, builder.sitofp(whole, FLOATS), factors[vector], sums[each]))
            following = [plus(builder, place, NIBBLES_BLOCK), plus(builder, scales, NIBBLES_BLOCK)]
            _, _, *sums = loop.end([*following, *new])
            outs = _rows(builder, builder.add(out, beyond), out_stride, most)
            found, places = [], []
            for row in range(most):
                scale = spread(builder, load(builder, plus(builder, row_scales, 4 * row), F32), FLOATS)
                for vector in range(vectors):
                    move = load(builder, plus(builder, builder.add(bias, beyond), WIDTH * vector), FLOATS)
                    found.append(multiply_add(builder, sums[row * vectors + vector], scale, move))
                    places.append(plus(builder, outs[row], WIDTH * vector))
            _write(builder, found, places, add)
            parts.end([])

        for_each_number_of_rows(builder, rows, NIBBLES_ROWS, write)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 12), generate


def _floats(*, halves: bool) -> Any:
    """A tile of a product in float32, whose right side may have 16 bits."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        rows, left, left_stride, right, right_stride, count, out, out_stride = arguments
        vectors = _FLOATS_VECTORS

        def write(most: int) -> None:
            parts, beyond = _parts(builder, vectors)
            lefts = _rows(builder, left, left_stride, most)
            start = builder.add(right, builder.lshr(beyond, number(1)) if halves else beyond)
            loop = Loop(builder, count, [start, *[_ZEROS] * (most * vectors)], "floats")
            place, *sums = loop.values
            weights = []
            for vector in range(vectors):
                at = plus(builder, place, WIDTH * vector // (2 if halves else 1))
                weights.append(load_halves(builder, at) if halves else load(builder, at, FLOATS))
            offset = builder.mul(loop.step, number(4))
            new = []
            for row in range(most):
                one = spread(builder, load(builder, builder.add(lefts[row], offset), F32), FLOATS)
                for vector in range(vectors):
                    new.append(multiply_add(builder, one, weights[vector], sums[row * vectors + vector]))
            _, *sums = loop.end([builder.add(place, right_stride), *new])
            for row, address in enumerate(_rows(builder, builder.add(out, beyond), out_stride, most)):
                for vector in range(vectors):
                    store(builder, sums[row * vectors + vector], plus(builder, address, WIDTH * vector))
            parts.end([])

        for_each_number_of_rows(builder, rows, FLOATS_ROWS, write)
        return context.get_dummy_value()

    return generate


@intrinsic
def floats_tile(context, rows, left, left_stride, right, right_stride, count, out, out_stride):
    """A tile of a product in float32: `out = left @ right`.

    Args:
        rows: 1 to FLOATS_ROWS.
        left: [rows, count]
        right: [count, 32]
        out: [rows, 32]
    """
    return types.void(*[types.int64] * 8), _floats(halves=False)


@intrinsic
def halves_tile(context, rows, left, left_stride, right, right_stride, count, out, out_stride):
    """The same with a right side in float16."""
    return types.void(*[types.int64] * 8), _floats(halves=True)
