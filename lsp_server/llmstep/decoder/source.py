"""Where a network's weights come from: the model's own files, from which they are rounded, or a packed file."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from llmstep.decoder import arrays, weights
from llmstep.decoder.embedding import Embedding
from llmstep.decoder.interface import DamagedError, stop_if
from llmstep.decoder.tensor_file import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from llmstep.decoder.folder import ModelFolder
    from llmstep.decoder.tensor_file import TensorFile, TensorWriter
    from llmstep.decoder.weights import Kind, Weight

KEPT = 64 << 20
"""Bytes of embeddings in float32 up to which they are in memory."""
_BLOCK = 1 << 22
"""Numbers that are rounded at once by a thread."""
FACTS = "llmstep"
"""The entry of a packed file's metadata with what is not a tensor."""


class FolderSource:
    """Weights from the model's own files.

    Args:
        writer: Takes down what is made, for the next time.
        progress: Called with the share of the numbers that has been read.
        cancel: Asked between two weights.
    """

    def __init__(
        self,
        model: ModelFolder,
        kind: Kind,
        *,
        threads: int,
        writer: TensorWriter | None = None,
        progress: Callable[[float], None] = lambda share: None,
        cancel: Callable[[], bool] = lambda: False,
    ) -> None:
        self._model, self._kind, self._writer, self._threads = model, kind, writer, threads
        self._progress, self._cancel = progress, cancel
        self._total = sum(math.prod(file.shape(name)) for name, file in model.tensors.items())
        self._done = 0
        self._kinds: dict[str, list[Any]] = {}
        self.shapes: dict[str, tuple[int, int]] = {}

    @property
    def facts(self) -> str:
        """What a packed file has to say beside its tensors."""
        return json.dumps({"kinds": self._kinds})

    def has(self, name: str) -> bool:
        return name in self._model.tensors

    def vector(self, name: str, *shape: int) -> NDArray[Any]:
        found = self._file(name).shape(name)
        self._check(name, found[len(found) - len(shape) :], shape)
        made = arrays.empty(found)
        made[...] = self._file(name).read(name)
        if self._writer is not None:
            self._writer.write(f"vector.{name}", "F32", made.shape, [made])
        return made

    def embedding(self, names: Sequence[str], tokens: int, width: int) -> Embedding:
        name = next((each for each in names if self.has(each)), names[0])
        file = self._file(name)
        self._check(name, file.shape(name), (tokens, width))
        if self._writer is not None:
            step = max(1, _BLOCK // width)
            parts = (file.raw_rows(name, row, min(row + step, tokens)) for row in range(0, tokens, step))
            self._writer.write(f"embedding.{names[0]}", file.dtype(name), (tokens, width), parts)
        return embedding_of(file, name)

    def product(self, name: str, parts: Sequence[str], outputs: int, inputs: int) -> Weight:
        stop_if(self._cancel, "Loading the model was cancelled.")
        files = [self._file(f"{part}.weight") for part in parts]
        shapes = [file.shape(f"{part}.weight") for file, part in zip(files, parts, strict=True)]
        for part, shape in zip(parts, shapes, strict=True):
            self._check(f"{part}.weight", shape[1:], (inputs,))
        self._check(f"{parts[0]}.weight", (sum(shape[0] for shape in shapes),), (outputs,))
        self.shapes[name] = outputs, inputs
        # Each logit is seen by itself, so that the head gets eight bits where all else has four.
        kind: Kind = "int8" if name == "head" and self._kind == "int4" else self._kind
        made = weights.empty(kind, outputs, inputs)
        place = 0
        for part, shape in zip(parts, shapes, strict=True):
            if self.has(f"{part}.bias"):
                made.bias[place : place + shape[0]] = self._file(f"{part}.bias").read(f"{part}.bias")
            place += shape[0]

        def rows(first: int, last: int) -> NDArray[np.float32]:
            """Of all parts together."""
            found, start = [], 0
            for part, shape in zip(parts, shapes, strict=True):
                one, other = max(first - start, 0), min(last - start, shape[0])
                if one < other:
                    found.append(self._model.rows(part, one, other))
                start += shape[0]
            return np.ascontiguousarray(found[0] if len(found) == 1 else np.concatenate(found))

        self._pack(made, rows)
        self._done += outputs * inputs
        self._progress(min(1.0, self._done / max(1, self._total)))
        if self._writer is not None:
            self._write(name, made)
        return made

    def _pack(self, weight: Weight, rows: Callable[[int, int], NDArray[np.float32]]) -> None:
        """Round the rows of a weight into its tiles, several blocks at a time."""
        from llmstep.decoder.compiled.builder import KINDS
        from llmstep.decoder.compiled.packing import pack

        step = max(1, _BLOCK // weight.inputs // weights.TILE) * weights.TILE

        def do(first: int) -> None:
            last = min(first + step, weight.outputs)
            found, scratch = rows(first, last), arrays.empty(weights.GROUP + 4)
            target = weight.matrix[first // weights.TILE :].ctypes.data
            scales = weight.scales[first:].ctypes.data
            pack(
                KINDS[weight.kind],
                found.ctypes.data,
                last - first,
                weight.inputs,
                target,
                scales,
                scratch.ctypes.data,
            )

        starts = range(0, weight.outputs, step)
        if len(starts) == 1 or self._threads == 1:
            for first in starts:
                do(first)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(do, starts))

    def _write(self, name: str, made: Weight) -> None:
        assert self._writer is not None
        dtype = "F32" if made.kind == "float32" else "U8"
        self._kinds[name] = [made.kind, made.outputs, made.inputs]
        self._writer.write(f"matrix.{name}", dtype, made.matrix.shape, [made.matrix])
        self._writer.write(f"scales.{name}", "F32", made.scales.shape, [made.scales])
        self._writer.write(f"bias.{name}", "F32", made.bias.shape, [made.bias])

    def _file(self, name: str) -> TensorFile:
        file = self._model.tensors.get(name)
        if file is None:
            raise self._damaged(f"{name} is missing")
        if file.dtype(name) not in DTYPES:
            raise self._damaged(f"{name} has numbers of the type {file.dtype(name)}, which is not known here")
        return file

    def _check(self, name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
        if found != expected:
            raise self._damaged(f"{name} has another shape than config.json says")

    def _damaged(self, what: str) -> DamagedError:
        return DamagedError(
            f"The weights in {self._model.path} are incomplete: {what}.",
            "The weights and config.json do not belong together, or the model was not saved whole.",
        )


class PackedSource:
    """Weights that a `FolderSource` has taken down.

    Raises:
        DamagedError, KeyError, ValueError: The file is not such a one.
    """

    def __init__(self, file: TensorFile, progress: Callable[[float], None] = lambda share: None) -> None:
        self._file, self._progress = file, progress
        self._kinds: dict[str, tuple[Kind, int, int]] = json.loads(file.metadata[FACTS])["kinds"]
        self.shapes = {name: (outputs, inputs) for name, (_, outputs, inputs) in self._kinds.items()}
        self._done = 0

    def has(self, name: str) -> bool:
        """Only vectors and the head are asked for."""
        return f"vector.{name}" in self._file or (
            name in ("lm_head.weight", "embed_out.weight") and "head" in self._kinds
        )

    def vector(self, name: str, *shape: int) -> NDArray[Any]:
        made = arrays.empty(self._file.shape(f"vector.{name}"))
        if made.shape[made.ndim - len(shape) :] != shape:
            raise ValueError(f"{name} has another shape")
        self._file.read_into(f"vector.{name}", made)
        return made

    def embedding(self, names: Sequence[str], tokens: int, width: int) -> Embedding:
        if self._file.shape(f"embedding.{names[0]}") != (tokens, width):
            raise ValueError("the embeddings have another shape")
        return embedding_of(self._file, f"embedding.{names[0]}")

    def product(self, name: str, parts: Sequence[str], outputs: int, inputs: int) -> Weight:
        kind, *shape = self._kinds[name]
        if shape != [outputs, inputs]:
            raise ValueError(f"{name} has another shape")
        made = weights.empty(kind, outputs, inputs)
        for part, memory in (("matrix", made.matrix), ("scales", made.scales), ("bias", made.bias)):
            self._file.read_into(f"{part}.{name}", memory)
        self._done += 1
        self._progress(self._done / len(self._kinds))
        return made


def embedding_of(file: TensorFile, name: str) -> Embedding:
    """The embeddings in a file."""
    tokens, width = file.shape(name)
    return Embedding(tokens, width, lambda first, last: file.rows(name, first, last), kept=4 * tokens * width <= KEPT)
