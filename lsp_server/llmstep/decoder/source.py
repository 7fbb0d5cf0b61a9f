"""Where a network's weights come from: the model's own files; of those in few bits, a packed file has them rounded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import weights
from llmstep.decoder.interface import Progress, stop_if
from llmstep.decoder.tensor_file import TensorFile
from llmstep.decoder.weights import TILE, Kind, Weight

if TYPE_CHECKING:
    from llmstep.decoder.folder import ModelFolder

KEPT = 64 << 20
"""Bytes of embeddings in float32 up to which they are in memory."""
_BLOCK = 1 << 22
"""Numbers that are rounded at once by a thread."""


class Embedding:
    """A table of [tokens, width], of which a step needs few rows: a large one stays in its file."""

    def __init__(self, file: TensorFile, name: str) -> None:
        self._file, self._name = file, name
        self.tokens, self.width = file.shape(name)
        self._table = file.read(name) if 4 * self.tokens * self.width <= KEPT else None

    def read(self, tokens: Sequence[int] | NDArray[np.int64], out: NDArray[np.float32]) -> None:
        """Write the rows of tokens into the first columns of `out`.

        Raises:
            IndexError: There is no such token.
        """
        if self._table is not None:
            out[:, : self.width] = self._table[np.asarray(tokens)]
            return
        for row, token in enumerate(tokens):
            out[row, : self.width] = self._file.rows(self._name, int(token), int(token) + 1)[0]


class Source:
    """Gives a network its weights, by the names of transformers.

    Args:
        packed: The products as an earlier `Source` of the same model made them.
        progress: Called with the share of the numbers that has been read.
        cancel: Asked between two products.
    """

    def __init__(
        self,
        model: ModelFolder,
        kind: Kind,
        *,
        threads: int,
        packed: TensorFile | None = None,
        progress: Progress = lambda what, share: None,
        cancel: Callable[[], bool] = lambda: False,
    ) -> None:
        self._model, self._kind, self._packed, self._threads = model, kind, packed, threads
        self._progress, self._cancel = progress, cancel
        self._total = sum(math.prod(file.shape(name)) for name, file in model.tensors.items())
        self._done = 0
        self.products: dict[str, Weight] = {}
        """Those given so far, by what they are called in the network."""

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return name in self._model.tensors

    def vector(self, name: str, *shape: int) -> NDArray[np.float32]:
        """A small tensor; its shape is looked at from the end.

        Raises:
            DamagedError: There is none, or it has another shape.
        """
        file = self._model.file(name)
        found = file.shape(name)
        self._check(name, found[len(found) - len(shape) :], shape)
        return file.read(name)

    def embedding(self, names: Sequence[str], tokens: int, width: int) -> Embedding:
        """The embeddings, under the first of several names that is there.

        Raises:
            DamagedError: There are none, or they have another shape.
        """
        name = next((each for each in names if self.has(each)), names[0])
        file = self._model.file(name)
        self._check(name, file.shape(name), (tokens, width))
        return Embedding(file, name)

    def product(self, name: str, parts: Sequence[str], outputs: int, inputs: int) -> Weight:
        """The weight of several linear layers with the same input, as one.

        Args:
            name: What it is called in the network.
            parts: Names of the layers, without `.weight` and `.bias`.

        Raises:
            DamagedError: There is none, or it has another shape.
            StoppedError: `cancel` says so.
        """
        stop_if(self._cancel, "Loading the model was cancelled.")
        shapes = [self._model.file(f"{part}.weight").shape(f"{part}.weight") for part in parts]
        for part, shape in zip(parts, shapes, strict=True):
            self._check(f"{part}.weight", shape[1:], (inputs,))
        self._check(f"{parts[0]}.weight", (sum(shape[0] for shape in shapes),), (outputs,))
        # Each logit is seen by itself, so that the head gets eight bits where all else has four.
        kind: Kind = "int8" if name == "head" and self._kind == "int4" else self._kind
        made = self.products[name] = Weight.empty(kind, outputs, inputs)
        ends = np.cumsum([shape[0] for shape in shapes]).tolist()
        places = list(zip(parts, [0, *ends], ends, strict=False))
        for part, start, end in places:
            if self.has(f"{part}.bias"):
                made.bias[start:end] = self._model.file(f"{part}.bias").read(f"{part}.bias")

        def rows(first: int, last: int) -> NDArray[np.float32]:
            """Of all parts together."""
            found = [
                self._model.rows(part, max(first, start) - start, min(last, end) - start)
                for part, start, end in places
                if max(first, start) < min(last, end)
            ]
            return np.ascontiguousarray(found[0] if len(found) == 1 else np.concatenate(found))

        if self._packed is not None:
            self._packed.read_into(f"matrix.{name}", made.matrix)
            self._packed.read_into(f"scales.{name}", made.scales)
        else:
            self._pack(made, rows)
        self._done += outputs * inputs
        self._progress("Reading weights", min(1.0, self._done / max(1, self._total)))
        return made

    def _pack(self, weight: Weight, rows: Callable[[int, int], NDArray[np.float32]]) -> None:
        """Put the rows of a weight into its tiles, rounded, several blocks at a time."""
        step = max(1, _BLOCK // weight.inputs // TILE) * TILE

        def do(first: int) -> None:
            last = min(first + step, weight.outputs)
            found, matrix = rows(first, last), weight.matrix[first // TILE : weights.tiles(last)]
            if weight.kind == "float32":
                for tile, out in enumerate(matrix):
                    some = found[tile * TILE : (tile + 1) * TILE]
                    out[:, : len(some)] = some.T
                return
            from llmstep.decoder.compiled.packing import pack

            scales = weight.scales[first:].ctypes.data
            pack(weight.kind == "int4", found.ctypes.data, *found.shape, matrix.ctypes.data, scales)

        starts = range(0, weight.outputs, step)
        if len(starts) == 1 or self._threads == 1:
            for first in starts:
                do(first)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(do, starts))

    def _check(self, name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
        if found != expected:
            raise self._model.incomplete(f"{name} has another shape than config.json says")
