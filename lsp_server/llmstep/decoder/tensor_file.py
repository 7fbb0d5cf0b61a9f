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

FLOATS: dict[str, DTypeLike] = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
"""Numbers that weights may have. numpy has no bfloat16: the upper half of a float32 is what such a number is."""


class _File:
    """An open file, for several threads."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        try:
            with safe_open(path, "np"):
                self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise DamagedError(f"The model file {path} cannot be read ({error.strerror or error}).", AGAIN) from error
        except SafetensorError as error:
            raise self.damaged(f"is not a whole safetensors file ({error})") from error
        weakref.finalize(self, self._file.close)
        length = int.from_bytes(self._file.read(8), "little")
        self.header: dict[str, Any] = json.loads(self._file.read(length))
        self._start = 8 + length

    def fill(self, place: int, out: NDArray[Any]) -> None:
        """Read from a place behind the header on."""
        memory, done = out.reshape(-1).view(np.uint8).data, 0
        with self._lock:
            self._file.seek(self._start + place)
            while done < len(memory):
                count = self._file.readinto(memory[done:])
                if not count:
                    raise self.damaged("ends early")
                done += count

    def damaged(self, how: str) -> DamagedError:
        return DamagedError(f"The model file {self.path} {how}.", AGAIN)


class Tensor:
    """A tensor in an open file."""

    def __init__(self, file: _File, name: str) -> None:
        self._file, self._name, (self._place, self._end) = file, name, file.header[name]["data_offsets"]
        self.shape: tuple[int, ...] = tuple(file.header[name]["shape"])
        self.dtype = str(file.header[name]["dtype"])
        """One of `FLOATS`, or another."""

    def read(self) -> NDArray[np.float32]:
        """All of it; see `rows`."""
        return self._floats(0, math.prod(self.shape)).reshape(self.shape)

    def rows(self, first: int, last: int) -> NDArray[np.float32]:
        """Rows from one up to another.

        Raises:
            IndexError: There are no such rows.
            DamagedError: The file ends early, or has numbers that are none of `FLOATS`.
        """
        count, *rest = self.shape
        if not 0 <= first <= last <= count:
            raise IndexError(f"{self._name} has no such rows")
        width = math.prod(rest)
        return self._floats(first * width, (last - first) * width).reshape(last - first, *rest)

    def read_into(self, out: NDArray[Any]) -> None:
        """Read its bytes into memory of that size."""
        if self._end - self._place != out.nbytes:
            raise self._file.damaged(f"has {self._end - self._place} bytes of {self._name} and not {out.nbytes}")
        self._file.fill(self._place, out)

    def _floats(self, start: int, count: int) -> NDArray[np.float32]:
        if self.dtype not in FLOATS:
            raise self._file.damaged(f"has {self._name} in numbers of the type {self.dtype}, which is not known here")
        raw = np.empty(count, FLOATS[self.dtype])
        self._file.fill(self._place + start * raw.itemsize, raw)
        return (raw.astype(np.uint32) << 16).view(np.float32) if self.dtype == "BF16" else np.asarray(raw, np.float32)


def open_tensors(path: Path) -> dict[str, Tensor]:
    """
    Raises:
        DamagedError: The file cannot be read, or is not a whole safetensors file.
    """
    file = _File(path)
    return {name: Tensor(file, name) for name in file.header if name != "__metadata__"}
