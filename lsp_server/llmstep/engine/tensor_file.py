"""The tensors of a safetensors file, one at a time: read into memory of their own, or where they are in the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from io import FileIO

_DTYPES = {"I8": torch.int8, "U8": torch.uint8, "I32": torch.int32, "F32": torch.float32}


class TensorFile:
    """An open file.

    Raises:
        ValueError: The header is no header, or the file is shorter or longer than it says.
    """

    def __init__(self, file: FileIO, size: int) -> None:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length < size:
            raise ValueError("no header")
        header = json.loads(file.read(length))
        self.metadata: dict[str, str] = header.pop("__metadata__", {})
        self._header = header
        self._file, self._start = file, 8 + length
        if self._start + max((entry["data_offsets"][1] for entry in header.values()), default=0) != size:
            raise ValueError("the size is not that of the header")

    def __contains__(self, name: str) -> bool:
        return name in self._header

    def names(self, prefix: str) -> list[str]:
        """Names that begin so, without what they begin with."""
        return [name.removeprefix(prefix) for name in self._header if name.startswith(prefix)]

    def read(self, name: str) -> torch.Tensor:
        """
        Raises:
            KeyError: There is no such tensor.
            ValueError: The file ends early.
        """
        entry = self._header[name]
        start, end = entry["data_offsets"]
        tensor = torch.empty(entry["shape"], dtype=_DTYPES[entry["dtype"]])
        if start < end:
            self.read_into(name, memoryview(tensor.view(-1).view(torch.uint8).numpy()))
        return tensor

    def mapped(self, name: str) -> torch.Tensor:
        """The tensor where it is in the file, of which what is used is read.

        Raises:
            KeyError: There is no such tensor.
        """
        entry = self._header[name]
        dtype = _DTYPES[entry["dtype"]]
        start, end = entry["data_offsets"]
        # Private, so that torch may take it for memory like any other.
        octets = np.memmap(self._file.name, np.uint8, "c", self._start + start, (end - start,))
        return torch.from_numpy(octets).view(dtype).view(entry["shape"])

    def size(self, name: str) -> int:
        """Bytes of a tensor."""
        start, end = self._header[name]["data_offsets"]
        return int(end - start)

    def read_into(self, name: str, memory: memoryview) -> None:
        """Read a tensor's bytes into memory of their size.

        Raises:
            KeyError: There is no such tensor.
            ValueError: It has another size, or the file ends early.
        """
        start, end = self._header[name]["data_offsets"]
        if end - start != len(memory):
            raise ValueError(f"{name} has {end - start} bytes and not {len(memory)}")
        self._file.seek(self._start + start)
        done = 0
        while done < len(memory):
            count = self._file.readinto(memory[done:])
            if not count:
                raise ValueError("the file ends early")
            done += count
