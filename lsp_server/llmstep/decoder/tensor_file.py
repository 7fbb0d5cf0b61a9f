"""The tensors of a safetensors file, or parts of them, read into memory of their own.

Nothing is mapped: a file that is cut off while a model runs is an error and not the end of the process, and pages of a
file do not count as memory of this one. The format is 8 bytes of length, a header in JSON, and the numbers.
"""

from __future__ import annotations

import json
import math
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from llmstep.decoder.interface import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

DTYPES: dict[str, DTypeLike] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "I8": np.int8,
    "U8": np.uint8,
    "I32": np.int32,
}
"""numpy has no bfloat16: its upper half is what such a number is."""
LONGEST_HEADER = 100_000_000
"""Bytes; safetensors' own limit."""


class TensorFile:
    """An open file.

    Raises:
        OSError: It cannot be read.
        DamagedError: The header is no header, or the file is shorter or longer than it says.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        size = path.stat().st_size
        length = int.from_bytes(self._file.read(8), "little")
        if not 0 < length <= min(LONGEST_HEADER, size - 8):
            raise self._damaged("is not a safetensors file")
        try:
            header = json.loads(self._file.read(length))
            self.metadata: dict[str, str] = header.pop("__metadata__", {})
            self._header: dict[str, Any] = header
            self._start = 8 + length
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
            whole = all(self._is_whole(entry) for entry in header.values())
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise self._damaged("is not a safetensors file") from error
        if not whole or self._start + end != size:
            raise self._damaged(f"has {size} bytes where its header says {self._start + end}")

    def close(self) -> None:
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._header

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
        return self.rows(name, 0, shape[0]) if shape else self._floats(name, 0, 1).reshape(())

    def rows(self, name: str, first: int, last: int) -> NDArray[np.float32]:
        """Rows from one up to another, in float32."""
        shape = self.shape(name)
        width = math.prod(shape[1:])
        return self._floats(name, first * width, (last - first) * width).reshape(last - first, *shape[1:])

    def raw_rows(self, name: str, first: int, last: int) -> NDArray[Any]:
        """Rows as they are in the file."""
        width = math.prod(self.shape(name)[1:])
        return self._raw(name, first * width, (last - first) * width)

    def read_into(self, name: str, out: NDArray[Any]) -> None:
        """Read a tensor into memory of its size."""
        start, end = self._header[name]["data_offsets"]
        if end - start != out.nbytes:
            raise self._damaged(f"has {end - start} bytes of {name} and not {out.nbytes}")
        self._fill(start, out.reshape(-1).view(np.uint8).data)

    def _floats(self, name: str, start: int, count: int) -> NDArray[np.float32]:
        raw = self._raw(name, start, count)
        if self.dtype(name) == "BF16":
            return (raw.astype(np.uint32) << 16).view(np.float32)
        return np.asarray(raw, np.float32)

    def _raw(self, name: str, start: int, count: int) -> NDArray[Any]:
        if self.dtype(name) not in DTYPES:
            raise self._damaged(f"has numbers of the type {self.dtype(name)}, which is not known here")
        found = np.empty(count, DTYPES[self.dtype(name)])
        begin, end = self._header[name]["data_offsets"]
        place = begin + start * found.itemsize
        if not begin <= place <= place + found.nbytes <= end:
            raise IndexError(f"{name} has no such rows")
        self._fill(place, found.view(np.uint8).data)
        return found

    def _fill(self, place: int, memory: memoryview) -> None:
        with self._lock:
            self._file.seek(self._start + place)
            done = 0
            while done < len(memory):
                count = self._file.readinto(memory[done:])
                if not count:
                    raise self._damaged("ends early")
                done += count

    def _is_whole(self, entry: dict[str, Any]) -> bool:
        start, end = entry["data_offsets"]
        each = np.dtype(DTYPES[entry["dtype"]]).itemsize if entry["dtype"] in DTYPES else None
        return 0 <= start <= end and (each is None or math.prod(entry["shape"]) * each == end - start)

    def _damaged(self, how: str) -> DamagedError:
        return DamagedError(f"The model file {self._path} {how}.", "Copy, save or download the model again.")


class TensorWriter:
    """Writes a safetensors file tensor by tensor; the header, for which there is room at the beginning, comes last.

    A disk that is full is no error: `close` says so.
    """

    _ROOM = 1 << 20

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._file.write(b" " * (8 + self._ROOM))
        self._header: dict[str, Any] = {}
        self._end = 0
        self._failed = False

    def write(self, name: str, dtype: str, shape: tuple[int, ...], parts: Iterable[NDArray[Any]]) -> None:
        """Write a tensor that is given in parts."""
        if self._failed:
            return
        start = self._end
        try:
            for part in parts:
                self._file.write(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
                self._end += part.nbytes
        except OSError:
            self._failed = True
        self._header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, self._end]}

    def close(self, metadata: dict[str, str] | None = None) -> bool:
        """Write the header, with these metadata; without them, give up. Whether the file is whole."""
        header = json.dumps({"__metadata__": metadata, **self._header}).encode()
        self._failed = self._failed or metadata is None or len(header) > self._ROOM
        try:
            if not self._failed:
                self._file.seek(0)
                self._file.write(self._ROOM.to_bytes(8, "little") + header.ljust(self._ROOM))
            self._file.close()
        except OSError:
            return False
        return not self._failed
