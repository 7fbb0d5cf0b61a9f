"""How functions are compiled, and where that is kept: in the user's cache, by the text of these modules."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llvmlite
import llvmlite.binding as llvm
import numba
import platformdirs

if TYPE_CHECKING:
    from collections.abc import Callable

_FLAGS = {"reassoc", "contract", "arcp", "nsz", "afn"}
"""Sums in any order; but what is no number stays none."""
_njit: Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]] = functools.partial(
    numba.njit, nogil=True, fastmath=_FLAGS, error_model="numpy"
)


@functools.cache
def vector_bits() -> int:
    """Bits of the registers that have products of bytes (VNNI): 512 or 256; 0 where there are none.

    `LLMSTEP_VECTOR_BITS` can ask for fewer than there are, which is what tests do.
    """
    features = llvm.get_host_cpu_features()
    wide = features.get("avx512vnni") and features.get("avx512bw")
    bits = 512 if wide else 256 if features.get("avxvnni") else 0
    return min(bits, int(os.environ.get("LLMSTEP_VECTOR_BITS", "512")))


@functools.cache
def folder() -> Path:
    """Where the code is kept that these modules become here."""
    digest = hashlib.sha256(f"{numba.__version__}\0{llvmlite.__version__}\0{vector_bits()}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    parent = Path(chosen) if chosen else platformdirs.user_cache_path("llmstep") / "compiled"
    return parent / digest.hexdigest()[:16]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Part of what `kept` compiles."""
    return _njit()(function)


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled at its first call on a machine, and read from the user's cache later; without the interpreter's lock."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return compiled(function)
    numba.config.CACHE_DIR = str(place)
    return _njit(cache=True)(function)
