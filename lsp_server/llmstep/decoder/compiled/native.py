"""What numba lacks: memory by its address, counters for several threads, and giving up the processor."""

from __future__ import annotations

import os
from typing import Any

from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from llmstep.decoder.compiled.compiler import compiled

_I32, _I64, _F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()


@intrinsic
def _float_pointer(context, address):
    return types.CPointer(types.float32)(types.int64), _as_pointer


@intrinsic
def _int_pointer(context, address):
    return types.CPointer(types.int32)(types.int64), _as_pointer


@intrinsic
def _byte_pointer(context, address):
    return types.CPointer(types.int8)(types.int64), _as_pointer


@intrinsic
def _short_pointer(context, address):
    return types.CPointer(types.int16)(types.int64), _as_pointer


def _as_pointer(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
    return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))


@compiled
def floats(address, count):
    """The float32 numbers at an address."""
    return carray(_float_pointer(address), (count,))


@compiled
def ints(address, count):
    """The int32 numbers at an address."""
    return carray(_int_pointer(address), (count,))


@compiled
def octets(address, count):
    """The signed bytes at an address."""
    return carray(_byte_pointer(address), (count,))


@compiled
def shorts(address, count):
    """The int16 numbers at an address."""
    return carray(_short_pointer(address), (count,))


@intrinsic
def as_float(context, bits):
    """The float32 of 32 bits."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _F32)

    return types.float32(types.int32), generate


@intrinsic
def as_bits(context, x):
    """The 32 bits of a float32."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _I32)

    return types.int32(types.float32), generate


@intrinsic
def fetch_add(context, address, more):
    """Add to an int64 that several threads count with; its value before."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], _I64.as_pointer())
        return builder.atomic_rmw("add", place, arguments[1], "acq_rel")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def fetch(context, address):
    """An int64 that other threads count with."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(builder.inttoptr(arguments[0], _I64.as_pointer()), "acquire", 8)

    return types.int64(types.int64), generate


give_way = types.ExternalFunction("SwitchToThread" if os.name == "nt" else "sched_yield", types.int32())
"""Let another thread have the processor."""
