"""What numba lacks: memory by its address, counters for several threads, and giving up the processor."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from llmstep.decoder.compiled.compiler import compiled

_I64 = ir.IntType(64)


@intrinsic
def _pointer(context, address):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(types.int64), generate


@compiled
def floats(address, count):
    """The float32 numbers at an address."""
    return carray(_pointer(address), (count,), np.float32)


@compiled
def ints(address, count):
    """The int32 numbers at an address."""
    return carray(_pointer(address), (count,), np.int32)


@compiled
def octets(address, count):
    """The signed bytes at an address."""
    return carray(_pointer(address), (count,), np.int8)


@compiled
def shorts(address, count):
    """The int16 numbers at an address."""
    return carray(_pointer(address), (count,), np.int16)


@compiled
def as_float(bits):
    """The float32 of 32 bits."""
    return np.int32(bits).view(np.float32)


@compiled
def as_bits(x):
    """The 32 bits of a float32."""
    return np.float32(x).view(np.int32)


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
