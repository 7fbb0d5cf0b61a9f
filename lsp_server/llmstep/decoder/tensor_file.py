"""The tensors of a safetensors file, or parts of them, read into memory of their own.

Nothing is mapped: a file that is cut off while a model runs is an error and not the end of the process, and pages of a
file do not count as memory of this one. The library safetensors checks the header; its own reading maps the file, or
reads a whole tensor for a few rows, and has no bfloat16 for numpy.
"""

from __future__ import annotations

import json
import math
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from safetensors import SafetensorError, safe_open

from llmstep.decoder.interface import AGAIN, DamagedError

DTYPES: dict[str, DTypeLike] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "U8": np.uint8,
}
"""numpy has no bfloat16: its upper half is what such a number is."""


class TensorFile:
    """An open file.

    Raises:
        DamagedError: It cannot be read, or is not a whole safetensors file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with safe_open(path, "np"):
                self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise DamagedError(f"The model file {path} cannot be read ({error.strerror or error}).", AGAIN) from error
        except SafetensorError as error:
            raise self._damaged(f"is not a whole safetensors file ({error})") from error
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        length = int.from_bytes(self._file.read(8), "little")
        self._start = 8 + length
        self._header: dict[str, Any] = json.loads(self._file.read(length))
        self._header.pop("__metadata__", None)

    @property
    def names(self) -> list[str]:
        return list(self._header)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._header[name]["shape"])

    def dtype(self, name: str) -> str:
        """One of `DTYPES`, or another."""
        return str(self._header[name]["dtype"])

    def read(self, name: str) -> NDArray[np.float32]:
        """A tensor in float32."""
        shape = self.shape(name)
        return self._floats(name, 0, math.prod(shape)).reshape(shape)

    def rows(self, name: str, first: int, last: int) -> NDArray[np.float32]:
        """Rows from one up to another, in float32.

        Raises:
            IndexError: There are no such rows.
        """
        count, *rest = self.shape(name)
        if not 0 <= first <= last <= count:
            raise IndexError(f"{name} has no such rows")
        width = math.prod(rest)
        return self._floats(name, first * width, (last - first) * width).reshape(last - first, *rest)

    def read_into(self, name: str, out: NDArray[Any]) -> None:
        """Read a tensor into memory of its size."""
        start, end = self._header[name]["data_offsets"]
        if end - start != out.nbytes:
            raise self._damaged(f"has {end - start} bytes of {name} and not {out.nbytes}")
        self._fill(start, out)

    def _floats(self, name: str, start: int, count: int) -> NDArray[np.float32]:
        dtype = self.dtype(name)
        if dtype not in DTYPES:
            raise self._damaged(f"has numbers of the type {dtype}, which is not known here")
        raw = np.empty(count, DTYPES[dtype])
        self._fill(self._header[name]["data_offsets"][0] + start * raw.itemsize, raw)
        if dtype == "BF16":
            return (raw.astype(np.uint32) << 16).view(np.float32)
        return np.asarray(raw, np.float32)

    def _fill(self, place: int, out: NDArray[Any]) -> None:
        memory, done = out.reshape(-1).view(np.uint8).data, 0
        with self._lock:
            self._file.seek(self._start + place)
            while done < len(memory):
                count = self._file.readinto(memory[done:])
                if not count:
                    raise self._damaged("ends early")
                done += count

    def _damaged(self, how: str) -> DamagedError:
        return DamagedError(f"The model file {self._path} {how}.", AGAIN)
