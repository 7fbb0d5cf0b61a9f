"""One product by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.engine.compiled.builder import Builder
from llmstep.engine.compiled.program import ROWS, Program
from llmstep.engine.compiled.runner import Runner
from llmstep.engine.compiled.weights import tiled

if TYPE_CHECKING:
    import torch

    from llmstep.engine.int8 import Quantized
    from llmstep.engine.linear import Linear


def product(weight: Quantized) -> Linear:
    """The product with a weight in eight bits, as `int8.product`."""
    program, held = Program(), tiled(weight)
    builder = Builder(program, held.inputs, max(held.outputs, held.inputs), held.inputs, held.outputs)
    builder.quantize("hidden", held.inputs)
    builder.product(held, "logits")
    runner = Runner(program, builder)

    def multiply(x: torch.Tensor) -> torch.Tensor:
        rows = len(x)
        runner.begin(rows, rows)
        builder.hidden[:rows, : held.inputs] = x
        program.state[ROWS] = rows
        runner.run(0, len(program))
        return runner.logits(rows, held.outputs)

    return multiply
