"""The innermost loops, as LLVM code: a few rows times 32 outputs, in bytes and in float32.

A tile keeps its sums in registers while it goes through the inputs once. Compilers spill them when such a loop is left
to them, so that it is written down here instruction by instruction; numba compiles it together with what calls it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from llmstep.engine.compiled.compiler import vector_bits

OUTPUTS = 32
"""Outputs of a tile."""
BITS = vector_bits()
"""Of a register."""
MOST_ROWS = 12 if BITS == 512 else 6
"""Rows of a tile. Their sums, 2 registers of weights and 1 of a row's numbers fit into 32 registers of 512 bits or 16
of 256, with which a tile is done in two halves."""
_LANES = BITS // 32
_VECTORS = 2
_WIDTH = BITS // 8
_HALVES = OUTPUTS // (_VECTORS * _LANES)

_I8, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
_INTS, _FLOATS = ir.VectorType(_I32, _LANES), ir.VectorType(_F32, _LANES)
_AHEAD = 2048
"""Bytes of the weights that are asked for before they are needed."""


def _call(builder: ir.IRBuilder, name: str, result: Any, arguments: tuple[Any, ...]) -> Any:
    """A call of one of LLVM's own functions."""
    called = builder.module.globals.get(name)
    if called is None:
        called = ir.Function(builder.module, ir.FunctionType(result, [each.type for each in arguments]), name)
    return builder.call(called, arguments)


def _dot(builder: ir.IRBuilder, sums: Any, row: Any, weights: Any) -> Any:
    """`sums` and four products each of unsigned bytes of the row and signed ones of the weights (VNNI)."""
    octets = ir.VectorType(_I8, 4 * _LANES)
    arguments = sums, builder.bitcast(row, octets), builder.bitcast(weights, octets)
    return _call(builder, f"llvm.x86.avx512.vpdpbusd.{BITS}", _INTS, arguments)


def _fma(builder: ir.IRBuilder, one: Any, other: Any, more: Any) -> Any:
    return _call(builder, f"llvm.fma.v{_LANES}f32", _FLOATS, (one, other, more))


def _at(builder: ir.IRBuilder, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _spread(builder: ir.IRBuilder, value: Any, kind: ir.VectorType) -> Any:
    """A vector of one number."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(
        one, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count)
    )


def _sums(
    builder: ir.IRBuilder,
    rows: int,
    left: Any,
    left_stride: Any,
    right: Any,
    right_stride: Any,
    count: Any,
    *,
    exact: bool,
) -> list[list[Any]]:
    """The loop: for `count` steps, 32 bits of each row times 32 numbers (or four bytes each) on the right.

    Args:
        left: Address of the first row; the next one is `left_stride` bytes behind it.
        right: Address of the first step's numbers; those of the next are `right_stride` bytes behind them.
        exact: Whether they are bytes.

    Returns:
        The sums, rows by vectors.
    """
    kind, scalar = (_INTS, _I32) if exact else (_FLOATS, _F32)
    zero = ir.Constant(kind, None) if exact else ir.Constant(kind, [0.0] * _LANES)
    entry = builder.block
    loop = builder.append_basic_block(f"loop{rows}")
    after = builder.append_basic_block(f"after{rows}")
    starts = [builder.add(left, builder.mul(left_stride, ir.Constant(_I64, row))) for row in range(rows)]
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(_I64)
    step.add_incoming(ir.Constant(_I64, 0), entry)
    place = builder.phi(_I64)
    place.add_incoming(right, entry)
    sums = [[builder.phi(kind) for _ in range(_VECTORS)] for _ in range(rows)]
    for row in sums:
        for each in row:
            each.add_incoming(zero, entry)
    weights = []
    for vector in range(_VECTORS):
        address = builder.add(place, ir.Constant(_I64, _WIDTH * vector))
        loaded = builder.load(_at(builder, address, kind), align=4)
        weights.append(loaded)
        if exact:
            _prefetch(builder, builder.add(address, ir.Constant(_I64, _AHEAD)))
    offset = builder.mul(step, ir.Constant(_I64, 4))
    new: list[list[Any]] = []
    for start in starts:
        number = builder.load(_at(builder, builder.add(start, offset), scalar), align=1 if exact else 4)
        spread = _spread(builder, number, kind)
        if exact:
            new.append([_dot(builder, old, spread, each) for old, each in zip(sums[len(new)], weights, strict=True)])
        else:
            new.append([_fma(builder, spread, each, old) for old, each in zip(sums[len(new)], weights, strict=True)])
    next_step = builder.add(step, ir.Constant(_I64, 1))
    step.add_incoming(next_step, loop)
    place.add_incoming(builder.add(place, right_stride), loop)
    for old_row, new_row in zip(sums, new, strict=True):
        for old, made in zip(old_row, new_row, strict=True):
            old.add_incoming(made, loop)
    builder.cbranch(builder.icmp_signed("<", next_step, count), loop, after)
    builder.position_at_end(after)
    return new


def _prefetch(builder: ir.IRBuilder, address: Any) -> None:
    flags = tuple(ir.Constant(_I32, flag) for flag in (0, 3, 1))  # to read, soon, as data
    _call(builder, "llvm.prefetch.p0", ir.VoidType(), (_at(builder, address, _I8), *flags))


def _for_each_number_of_rows(builder: ir.IRBuilder, rows: Any, write: Any) -> None:
    """A switch with code for 1 to MOST_ROWS rows, and in it for each half, by the bytes before it."""
    done = builder.append_basic_block("done")
    switch = builder.switch(rows, done)
    for count in range(1, MOST_ROWS + 1):
        block = builder.append_basic_block(f"rows{count}")
        switch.add_case(ir.Constant(_I64, count), block)
        builder.position_at_end(block)
        for half in range(_HALVES):
            write(count, ir.Constant(_I64, half * _VECTORS * _WIDTH))
        builder.branch(done)
    builder.position_at_end(done)


@intrinsic
def bytes_tile(context, rows, left, left_stride, row_scales, right, count, sums, scales, bias, out, out_stride, add):
    """A tile of a product in eight bits: `out = (left - 128) rightᵀ * scales * row_scales + bias`.

    All arguments are integers: addresses, or numbers of bytes for strides.

    Args:
        rows: 1 to MOST_ROWS.
        left: Unsigned bytes, each 128 more than the number that is meant.
        row_scales: float32, one a row.
        right: Signed bytes, `count` times [32 outputs, 4 inputs].
        sums: int32 [32], 128 times the sum of each output's weights.
        scales: float32 [32].
        bias: float32 [32].
        out: float32 [rows, 32].
        add: Whether to add what is in `out`.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        rows, left, left_stride, row_scales, right, count, sums, scales, bias, out, out_stride, add = arguments

        def write(number: int, beyond: ir.Constant) -> None:
            weights = builder.add(right, beyond)
            found = _sums(
                builder, number, left, left_stride, weights, ir.Constant(_I64, 4 * OUTPUTS), count, exact=True
            )
            adding = builder.icmp_signed("!=", add, ir.Constant(_I64, 0))
            shifts, factors, moved = [], [], []
            for vector in range(_VECTORS):
                offset = builder.add(beyond, ir.Constant(_I64, _WIDTH * vector))
                shifts.append(builder.load(_at(builder, builder.add(sums, offset), _INTS), align=4))
                factors.append(builder.load(_at(builder, builder.add(scales, offset), _FLOATS), align=4))
                moved.append(builder.load(_at(builder, builder.add(bias, offset), _FLOATS), align=4))
            results = []
            for row in range(number):
                address = builder.add(row_scales, ir.Constant(_I64, 4 * row))
                scale = _spread(builder, builder.load(_at(builder, address, _F32), align=4), _FLOATS)
                for vector in range(_VECTORS):
                    whole = builder.sitofp(builder.sub(found[row][vector], shifts[vector]), _FLOATS)
                    results.append(_fma(builder, builder.fmul(whole, factors[vector]), scale, moved[vector]))
            start = builder.add(out, beyond)
            places = [
                builder.add(
                    builder.add(start, builder.mul(out_stride, ir.Constant(_I64, row))),
                    ir.Constant(_I64, _WIDTH * vector),
                )
                for row in range(number)
                for vector in range(_VECTORS)
            ]
            with builder.if_else(adding) as (then, otherwise):
                with then:
                    for result, place in zip(results, places, strict=True):
                        before = builder.load(_at(builder, place, _FLOATS), align=4)
                        builder.store(builder.fadd(before, result), _at(builder, place, _FLOATS), align=4)
                with otherwise:
                    for result, place in zip(results, places, strict=True):
                        builder.store(result, _at(builder, place, _FLOATS), align=4)

        _for_each_number_of_rows(builder, rows, write)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 12), generate


@intrinsic
def floats_tile(context, rows, left, left_stride, right, right_stride, count, out, out_stride):
    """A tile of a product in float32: `out = left @ right`.

    Args:
        rows: 1 to MOST_ROWS.
        left: [rows, count]
        right: [count, 32]
        out: [rows, 32]
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        rows, left, left_stride, right, right_stride, count, out, out_stride = arguments

        def write(number: int, beyond: ir.Constant) -> None:
            numbers = builder.add(right, beyond)
            found = _sums(builder, number, left, left_stride, numbers, right_stride, count, exact=False)
            for row in range(number):
                start = builder.add(builder.add(out, beyond), builder.mul(out_stride, ir.Constant(_I64, row)))
                for vector in range(_VECTORS):
                    place = builder.add(start, ir.Constant(_I64, _WIDTH * vector))
                    builder.store(found[row][vector], _at(builder, place, _FLOATS), align=4)

        _for_each_number_of_rows(builder, rows, write)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8), generate
