"""Where a network's weights come from: the model's own files; of those in few bits, a packed file has them rounded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder import weights
from llmstep.decoder.interface import Progress, stop_if
from llmstep.decoder.tensor_file import Tensor
from llmstep.decoder.weights import KEPT, TILE, Kind, Weight

if TYPE_CHECKING:
    from llmstep.decoder.folder import ModelFolder

_BLOCK = 1 << 22
"""Numbers that are rounded at once by a thread."""


class Embedding:
    """A table of [tokens, width], of which a step needs few rows: a large one stays in its file."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor, (tokens, self._width) = tensor, tensor.shape
        self._table = tensor.read() if 4 * tokens * self._width <= KEPT else None

    def read(self, tokens: Sequence[int] | NDArray[np.int64], out: NDArray[np.float32]) -> None:
        """Write the rows of tokens into the first columns of `out`."""
        if self._table is not None:
            out[:, : self._width] = self._table[np.asarray(tokens)]
            return
        for row, token in enumerate(tokens):
            out[row, : self._width] = self._tensor.rows(int(token), int(token) + 1)[0]


class Source:
    """Gives a network its products, by the names of transformers.

    Args:
        dense: Whether they are for numpy, in float32.
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
        dense: bool = False,
        packed: Mapping[str, Tensor] | None = None,
        progress: Progress = lambda what, share: None,
        cancel: Callable[[], bool] = lambda: False,
    ) -> None:
        self.model, self._kind, self._dense, self._packed, self._threads = model, kind, dense, packed, threads
        self._progress, self._cancel = progress, cancel
        self._total = sum(math.prod(each.shape) for each in model.tensors.values())
        self._done = 0
        self.products: dict[str, Weight] = {}
        """Those given so far, by what they are called in the network."""

    def product(self, name: str, parts: Sequence[str], outputs: int, inputs: int) -> Weight:
        """The weight `name` of the network: those of several linear layers with the same input, by their names, as one.

        Raises:
            DamagedError: There is none, or it has another shape.
            StoppedError: `cancel` says so.
        """
        stop_if(self._cancel, "Loading the model was cancelled.")
        model = self.model
        counts = [model.tensor(f"{part}.weight", (0, inputs)).shape[0] for part in parts]
        if sum(counts) != outputs:
            raise model.incomplete(f"{parts[0]} has another shape than config.json says")
        # Each logit is seen by itself, so that the head gets eight bits where all else has four.
        kind: Kind = "int8" if name == "head" and self._kind == "int4" else self._kind
        made = self.products[name] = Weight.empty(kind, outputs, inputs, dense=self._dense)
        ends = np.cumsum(counts).tolist()
        places = list(zip(parts, [0, *ends], ends, strict=False))
        for part, start, end in places:
            if f"{part}.bias" in model.tensors:
                made.bias[start:end] = model.tensor(f"{part}.bias", (end - start,)).read()

        def rows(first: int, last: int) -> NDArray[np.float32]:
            """Of all parts together."""
            found = [
                model.rows(part, max(first, start) - start, min(last, end) - start)
                for part, start, end in places
                if max(first, start) < min(last, end)
            ]
            return np.ascontiguousarray(found[0] if len(found) == 1 else np.concatenate(found))

        if self._packed is not None:
            self._packed[f"matrix.{name}"].read_into(made.matrix)
            self._packed[f"scales.{name}"].read_into(made.scales)
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
            found = rows(first, last)
            if self._dense:
                weight.matrix[:, first:last] = found.T
                return
            matrix = weight.matrix[first // TILE : weights.tiles(last)]
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
