"""Memory that vector instructions like: at addresses that are multiples of 64, as cache lines are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LINE = 64


def empty(shape: int | tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Memory with anything in it."""
    sizes = (shape,) if isinstance(shape, int) else shape
    count = math.prod(sizes) * np.dtype(dtype).itemsize
    raw = np.empty(count + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + count].view(dtype).reshape(sizes)


def zeros(shape: int | tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Memory with zeros."""
    made = empty(shape, dtype)
    made[...] = 0
    return made
