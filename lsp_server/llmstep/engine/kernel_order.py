"""Weights in the own order of oneDNN's kernel, as bytes: written once, and read straight into the kernel's memory.

Putting a weight in that order takes oneDNN about 10 ns a number, which is most of what loading a model would cost. The
order depends on the processor and on torch, so that a description goes with the bytes.
"""

from __future__ import annotations

import ctypes
import hashlib

import torch

from llmstep.engine.int8 import in_order

_OPS = torch.ops.mkldnn
_USUAL = (256, 256)


def bytes_of(ordered: torch.Tensor) -> torch.Tensor:
    """A copy of the memory of a weight that `in_order` gave, uint8."""
    return torch.frombuffer(_memory(ordered), dtype=torch.uint8).clone()


class Orders:
    """Empty weights in the kernel's order; one of each shape is ordered, and the others are copies of it."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], torch.Tensor] = {}

    def empty(self, outputs: int, inputs: int) -> tuple[torch.Tensor, memoryview]:
        """A weight of a shape with anything in it, and its memory."""
        shape = outputs, inputs
        if shape not in self._known:
            self._known[shape] = in_order(torch.zeros(shape, dtype=torch.int8))
        made = self._known[shape].clone()
        return made, memoryview(_memory(made)).cast("B")

    def description(self) -> str:
        """What tells the order of weights here from that on other machines."""
        made, _ = self.empty(*_USUAL)
        return hashlib.sha256(bytes(_OPS._get_mkldnn_serialized_md(made).numpy())).hexdigest()[:16]


def _memory(ordered: torch.Tensor) -> ctypes.Array[ctypes.c_ubyte]:
    size, address = int(_OPS._nbytes(ordered)), int(_OPS.data_ptr(ordered))
    return (ctypes.c_ubyte * size).from_address(address)
