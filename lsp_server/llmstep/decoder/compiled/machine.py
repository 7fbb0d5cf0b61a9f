"""Runs programs, with several threads that take the pieces of each operation as they come.

No thread waits for another to begin: an operation is done when all its pieces are, whoever did them, so that a thread
that the system lets wait holds nobody up except for the piece that it is at.
"""

from __future__ import annotations

import queue
import threading
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.compiled.operations import LINE, run
from llmstep.decoder.compiled.program import SLOTS, Program
from llmstep.decoder.weights import Weight, zeros

Tasks = queue.SimpleQueue[tuple[Any, ...] | None]


class Machine:
    """Threads that run programs.

    Args:
        threads: At least one; the caller's is one of them.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._scratch = [zeros((0,)) for _ in range(threads)]
        self._tasks: list[Tasks] = [queue.SimpleQueue() for _ in range(threads - 1)]
        for number, each in enumerate(self._tasks, 1):
            threading.Thread(target=_help, args=(each,), name=f"llmstep-compute-{number}", daemon=True).start()
        weakref.finalize(self, _end, self._tasks)

    def run(self, program: Program, state: NDArray[np.int64], scratch: int, first: int, last: int) -> None:
        """Run the operations of a program from `first` up to `last`.

        Args:
            scratch: float32 numbers that each thread needs for itself.
        """
        if len(self._scratch[0]) < scratch:
            self._scratch = [zeros((scratch,)) for _ in range(self.threads)]
        # Fresh ones, since a thread may still be on its way through the last.
        counters = np.zeros((last - first, LINE), np.int64)
        common = (program.listing, state.copy(), counters)
        for tasks, memory in zip(self._tasks, self._scratch[1:], strict=True):
            tasks.put((*common, memory.ctypes.data, first, last))
        run(*common, self._scratch[0].ctypes.data, first, last)


def _help(tasks: Tasks) -> None:
    while (task := tasks.get()) is not None:
        run(*task)
        del task


def _end(waiting: list[Tasks]) -> None:
    for tasks in waiting:
        tasks.put(None)


class Product:
    """The product with a weight by itself, for up to `rows` rows: for benchmarks, and tests of tiles."""

    def __init__(self, weight: Weight, rows: int, threads: int = 1) -> None:
        sizes = weight.inputs, max(weight.outputs, weight.inputs), weight.inputs, weight.outputs
        self._program = Program(*sizes, capacity=rows, max_logits=rows, floats=weight.kind == "float32")
        self._program.quantize(self._program.hidden, weight.inputs)
        self._program.product(weight, self._program.logits)
        self._weight, self._machine = weight, Machine(threads)

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """[rows, inputs] to [rows, outputs]."""
        self._program.hidden[: len(x), : self._weight.inputs] = x
        state = np.array([len(x), *[0] * (SLOTS - 1)])
        self._machine.run(self._program, state, self._program.scratch, 0, len(self._program))
        return np.array(self._program.logits[: len(x), : self._weight.outputs])
