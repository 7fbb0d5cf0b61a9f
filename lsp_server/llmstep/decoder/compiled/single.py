"""One product by itself, for benchmarks and tests of tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.compiled.builder import Builder
from llmstep.decoder.compiled.machine import Machine
from llmstep.decoder.compiled.program import ROWS, Program
from llmstep.decoder.weights import Weight


class Product:
    """The product with a weight."""

    def __init__(self, weight: Weight, threads: int = 1) -> None:
        self._weight, self._program = weight, Program()
        self._builder = Builder(
            self._program,
            weight.inputs,
            max(weight.outputs, weight.inputs),
            weight.inputs,
            weight.outputs,
            floats=weight.kind == "float32",
        )
        self._builder.quantize("hidden", weight.inputs)
        self._builder.product(weight, "logits")
        self._machine = Machine(threads)

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """[rows, inputs] to [rows, outputs]."""
        rows, builder = len(x), self._builder
        builder.reserve(rows, rows)
        builder.hidden[:rows, : self._weight.inputs] = x
        self._program.state[ROWS] = rows
        self._machine.reserve(builder.scratch_for(self._program.state))
        self._machine.run(self._program)
        return np.array(builder.logits[:rows, : self._weight.outputs])
