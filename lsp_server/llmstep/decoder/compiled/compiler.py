"""How numba compiles functions, where that is kept, and what numba lacks: memory by its address, and counters."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
import platformdirs
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from llmstep.decoder.compiled.target import features, target

PLACE = "LLMSTEP_DECODER_CODE"
"""Names another folder for compiled code."""
_FLAGS = {"reassoc", "contract", "arcp", "nsz", "afn"}
"""Sums in any order; but what is no number stays none."""
_njit: Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]] = functools.partial(
    numba.njit, nogil=True, fastmath=_FLAGS, error_model="numpy"
)


@functools.cache
def folder() -> Path:
    """Where the code is kept that these modules become here; its name begins with that of the installation."""
    if named := os.environ.get(PLACE):
        return Path(named)
    here = Path(__file__).parent
    machine = target().name, llvm.get_host_cpu_name(), sorted(features())
    installation = hashlib.sha256(repr((str(here), machine)).encode()).hexdigest()[:8]
    digest = hashlib.sha256(repr((numba.__version__, llvmlite.__version__, machine)).encode())
    for path in (*sorted(here.glob("*.py")), here.with_name("weights.py"), here.with_name("config.py")):
        status = path.stat()  # numba compiles anew what was installed anew
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode() + path.read_bytes())
    return platformdirs.user_cache_path("llmstep") / "compiled" / f"{installation}-{digest.hexdigest()[:16]}"


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Part of what `kept` compiles."""
    return _njit()(function)


def exact(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same with sums in the order that stands there, so that all processors find the same bits."""
    return _njit(fastmath=False)(function)


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled at its first call on a machine, and read from the user's cache later; without the interpreter's lock."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return compiled(function)
    numba.config.CACHE_DIR = str(place)
    return _njit(cache=True)(function)


@intrinsic
def _pointer(context, address):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(types.int64), generate


def _numbers(kind):
    """What gives the numbers of a kind at an address, as an array of so many."""

    @compiled
    def at(address, count):
        return carray(_pointer(address), (count,), kind)

    return at


floats, ints, octets, shorts = _numbers(np.float32), _numbers(np.int32), _numbers(np.int8), _numbers(np.int16)


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
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", place, arguments[1], "acq_rel")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def fetch(context, address):
    """An int64 that other threads count with."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), "acquire", 8)

    return types.int64(types.int64), generate


give_way = types.ExternalFunction("SwitchToThread" if os.name == "nt" else "sched_yield", types.int32())
"""Let another thread have the processor."""
