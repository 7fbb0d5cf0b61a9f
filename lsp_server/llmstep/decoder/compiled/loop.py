"""The one function that is compiled: it goes through a program."""

from __future__ import annotations

from llmstep.decoder.compiled.compiler import kept
from llmstep.decoder.compiled.native import fetch, fetch_add, give_way
from llmstep.decoder.compiled.operations import pieces, run_piece

LINE = 16
"""Counters of an operation, int64: pieces taken in the first, pieces done in the ninth, on another cache line."""
_SPINS = 200
"""Looks at a counter before the processor is given up."""


@kept
def run(operations, numbers, table, state, counters, scratch, first, last):
    """Run operations from `first` up to `last`, together with all threads that do so with the same counters.

    Args:
        operations: int64 [operations, operands]
        numbers: float32 [operations, 2]
        table: Addresses of memory, int64.
        state: int64
        counters: int64 [last - first, LINE], 0 before the first thread begins.
        scratch: Address of memory of this thread alone.
    """
    start = counters.ctypes.data
    for number in range(first, last):
        operation = operations[number]
        total = pieces(operation, state)
        taken = start + (number - first) * LINE * 8
        done = taken + 64
        while True:
            piece = fetch_add(taken, 1)
            if piece >= total:
                break
            run_piece(operation, numbers[number], piece, table, state, scratch)
            fetch_add(done, 1)
        spins = 0
        while fetch(done) < total:
            spins += 1
            if spins > _SPINS:
                give_way()
