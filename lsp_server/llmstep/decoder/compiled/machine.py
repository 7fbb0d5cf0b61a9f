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

from llmstep.decoder import arrays
from llmstep.decoder.compiled.loop import LINE, run
from llmstep.decoder.compiled.program import Program

Tasks = queue.SimpleQueue[tuple[Any, ...] | None]


class Machine:
    """Threads that run programs.

    Args:
        threads: At least one; the caller's is one of them.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._scratch = [arrays.empty(0) for _ in range(threads)]
        self._tasks: list[Tasks] = [queue.SimpleQueue() for _ in range(threads - 1)]
        for number, each in enumerate(self._tasks, 1):
            threading.Thread(target=_help, args=(each,), name=f"llmstep-compute-{number}", daemon=True).start()
        weakref.finalize(self, _end, self._tasks)

    def reserve(self, numbers: int) -> None:
        """Have scratch memory of so many float32 for each thread."""
        if len(self._scratch[0]) < numbers:
            self._scratch = [arrays.empty(numbers) for _ in range(self.threads)]

    def run(self, program: Program, first: int = 0, last: int | None = None) -> None:
        """Run a part of a program."""
        operations, numbers = program.listing
        last = len(program) if last is None else last
        # Fresh ones, since a thread may still be on its way through the last.
        counters = np.zeros((last - first, LINE), np.int64)
        common = (operations, numbers, program.table, program.state.copy(), counters)
        for tasks, scratch in zip(self._tasks, self._scratch[1:], strict=True):
            tasks.put((*common, scratch.ctypes.data, first, last))
        run(*common, self._scratch[0].ctypes.data, first, last)


def _help(tasks: Tasks) -> None:
    while (task := tasks.get()) is not None:
        run(*task)
        del task


def _end(waiting: list[Tasks]) -> None:
    for tasks in waiting:
        tasks.put(None)
