"""Short ways of writing LLVM's code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from llmstep.decoder.compiled.target import has_halves, target

I8, I16, I32, I64, F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
LANES = target().lanes
INTS, FLOATS = ir.VectorType(I32, LANES), ir.VectorType(F32, LANES)
SHORTS, OCTETS = ir.VectorType(I16, 2 * LANES), ir.VectorType(I8, 4 * LANES)
WIDTH = target().bits // 8
"""Bytes of a register."""
_HALVES = has_halves()


def call(builder: ir.IRBuilder, name: str, result: Any, arguments: tuple[Any, ...]) -> Any:
    """A call of one of LLVM's own functions."""
    called = builder.module.globals.get(name)
    if called is None:
        called = ir.Function(builder.module, ir.FunctionType(result, [each.type for each in arguments]), name)
    return builder.call(called, arguments)


def load(builder: ir.IRBuilder, address: Any, kind: Any, align: int = 4) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=align)


def store(builder: ir.IRBuilder, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer()), align=4)


def number(value: int) -> ir.Constant:
    """An integer of 64 bits."""
    return ir.Constant(I64, value)


def plus(builder: ir.IRBuilder, address: Any, count: int) -> Any:
    return builder.add(address, number(count)) if count else address


def all_of(kind: ir.VectorType, value: int) -> ir.Constant:
    """A vector of one constant."""
    return ir.Constant(kind, [value] * kind.count)


def spread(builder: ir.IRBuilder, value: Any, kind: ir.VectorType) -> Any:
    """A vector of one number."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    nowhere = ir.Constant(kind, ir.Undefined)
    return builder.shuffle_vector(one, nowhere, ir.Constant(ir.VectorType(I32, kind.count), [0] * kind.count))


def multiply_add(builder: ir.IRBuilder, one: Any, other: Any, more: Any) -> Any:
    """In one instruction where there is such a one."""
    return call(builder, f"llvm.fmuladd.v{LANES}f32", FLOATS, (one, other, more))


def load_halves(builder: ir.IRBuilder, address: Any) -> Any:
    """A register of float32 from numbers of 16 bits."""
    if _HALVES:
        return builder.fpext(load(builder, address, ir.VectorType(ir.HalfType(), LANES), 2), FLOATS)
    bits = builder.zext(load(builder, address, ir.VectorType(I16, LANES), 2), INTS)
    sign = builder.shl(builder.and_(bits, all_of(INTS, 0x8000)), all_of(INTS, 16))
    size = builder.shl(builder.and_(bits, all_of(INTS, 0x7FFF)), all_of(INTS, 13))
    # The exponent of 16 bits is less by 112; what is no number has to stay none.
    scaled = builder.fmul(builder.bitcast(size, FLOATS), ir.Constant(FLOATS, [2.0**112] * LANES))
    none = builder.icmp_unsigned(">", size, all_of(INTS, 0x0F7FFFFF))
    found = builder.select(none, all_of(INTS, 0x7FC00000), builder.bitcast(scaled, INTS))
    return builder.bitcast(builder.or_(found, sign), FLOATS)


def prefetch(builder: ir.IRBuilder, address: Any) -> None:
    flags = tuple(ir.Constant(I32, flag) for flag in (0, 3, 1))  # to read, soon, as data
    call(builder, "llvm.prefetch.p0", ir.VoidType(), (builder.inttoptr(address, I8.as_pointer()), *flags))


class Loop:
    """A loop with values that go round; `with` is not used, since a block has to be left in the middle.

    Args:
        starts: First values.
        count: How often, at least once.
    """

    def __init__(self, builder: ir.IRBuilder, count: Any, starts: list[Any], name: str) -> None:
        self._builder, self._count = builder, count
        entry = builder.block
        self._head = builder.append_basic_block(name)
        self._after = builder.append_basic_block(f"after_{name}")
        builder.branch(self._head)
        builder.position_at_end(self._head)
        self.step = builder.phi(I64)
        self.step.add_incoming(number(0), entry)
        self.values = [builder.phi(each.type) for each in starts]
        for phi, start in zip(self.values, starts, strict=True):
            phi.add_incoming(start, entry)

    def end(self, values: list[Any]) -> list[Any]:
        """Go round with these; the code goes on behind the loop, with the last ones."""
        builder = self._builder
        here = builder.block
        following = builder.add(self.step, number(1))
        self.step.add_incoming(following, here)
        for phi, value in zip(self.values, values, strict=True):
            phi.add_incoming(value, here)
        builder.cbranch(builder.icmp_signed("<", following, self._count), self._head, self._after)
        builder.position_at_end(self._after)
        return values


def either(builder: ir.IRBuilder, flag: Any, write: Callable[[bool], None]) -> None:
    """Code for both values of a flag."""
    with builder.if_else(builder.icmp_signed("!=", flag, number(0))) as (then, otherwise):
        with then:
            write(True)
        with otherwise:
            write(False)


def for_each_number_of_rows(builder: ir.IRBuilder, rows: Any, most: int, write: Callable[[int], None]) -> None:
    """A switch with code for 1 to `most` rows."""
    done = builder.append_basic_block("done")
    switch = builder.switch(rows, done)
    for count in range(1, most + 1):
        block = builder.append_basic_block(f"rows{count}")
        switch.add_case(number(count), block)
        builder.position_at_end(block)
        write(count)
        builder.branch(done)
    builder.position_at_end(done)
