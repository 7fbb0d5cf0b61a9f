"""How functions are compiled, and where that is kept: in the user's cache, by the text of these modules."""

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
import platformdirs

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
