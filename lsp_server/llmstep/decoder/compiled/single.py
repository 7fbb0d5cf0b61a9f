"""One product by itself, for benchmarks and tests of tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.compiled.builder import Builder
from llmstep.decoder.compiled.machine import Machine
from llmstep.decoder.weights import Weight


class Product:
    """The product with a weight, for up to `rows` rows."""

    def __init__(self, weight: Weight, rows: int, threads: int = 1) -> None:
        sizes = weight.inputs, max(weight.outputs, weight.inputs), weight.inputs, weight.outputs
        self._builder = Builder(*sizes, rows=rows, max_logits=rows, floats=weight.kind == "float32")
        self._builder.quantize(self._builder.hidden, weight.inputs)
        self._builder.product(weight, self._builder.logits)
        self._weight, self._machine = weight, Machine(threads)

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """[rows, inputs] to [rows, outputs]."""
        self._builder.hidden[: len(x), : self._weight.inputs] = x
        state = np.array([len(x), 0, 0, 0, 0])
        self._machine.run(self._builder.program, state, self._builder.scratch, 0, len(self._builder.program))
        return np.array(self._builder.logits[: len(x), : self._weight.outputs])
