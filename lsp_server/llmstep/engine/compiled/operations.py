"""The operations of a program, each in pieces that threads can take.

Their operands are those that `Builder` writes, in that order; `table` gives the address of a piece of memory, and
`state` what changes from step to step.
"""

from __future__ import annotations

from llmstep.engine.compiled.attention import BLOCK, run_attend, run_attend_rows, run_store
from llmstep.engine.compiled.compiler import compiled
from llmstep.engine.compiled.native import floats
from llmstep.engine.compiled.program import ATTEND, ATTEND_ROWS, GATE, NORM, PRODUCT, ROWS, STORE
from llmstep.engine.compiled.rowwise import gate, norm, quantize
from llmstep.engine.compiled.tiles import MOST_ROWS, OUTPUTS, bytes_tile

_FEW = 24
"""Rows up to which a piece of a product is several tiles of outputs, and not one tile for many rows."""
_TILES = 4
"""Most tiles of outputs in such a piece."""
_PIECES = 16
"""Pieces that a small product should have at least, so that threads end together."""


@compiled
def pieces(operation, state):
    """In how many pieces an operation is done."""
    kind, rows = operation[0], state[ROWS]
    if kind == PRODUCT:
        each = _tiles_each(operation[9], rows)
        return (operation[9] + each - 1) // each
    if kind == ATTEND:
        tokens = max(1, BLOCK // operation[2])
        return operation[1] * ((rows + tokens - 1) // tokens)
    return operation[1] if kind in (STORE, ATTEND_ROWS) else rows


@compiled
def _tiles_each(tiles, rows):
    """Tiles in a piece of a product."""
    return max(1, min(_TILES, tiles // _PIECES)) if rows <= _FEW else 1


@compiled
def run_piece(operation, numbers, piece, table, state, scratch):
    """Do one piece of an operation."""
    kind = operation[0]
    if kind == PRODUCT:
        _run_product(operation, piece, table, state[ROWS])
    elif kind == NORM:
        _run_norm(operation, numbers[0], piece, table, scratch)
    elif kind == GATE:
        _run_gate(operation, piece, table, scratch)
    elif kind == ATTEND_ROWS:
        run_attend_rows(operation, numbers[0], numbers[1], piece, table, state, scratch)
    elif kind == ATTEND:
        run_attend(operation, numbers[0], numbers[1], piece, table, state, scratch)
    elif kind == STORE:
        run_store(operation, numbers[0], piece, table, state)


@compiled
def _run_norm(operation, epsilon, row, table, scratch):
    """The norm of a row, as bytes."""
    source, width = table[operation[1]] + row * operation[2], operation[3]
    norm(source, width, table[operation[4]], table[operation[5]], epsilon, scratch)
    floats(table[operation[8]], row + 1)[row] = quantize(scratch, width, table[operation[6]] + row * operation[7])


@compiled
def _run_gate(operation, row, table, scratch):
    """The activation of a row, as bytes."""
    source, width, kind, gated = table[operation[1]] + row * operation[2], operation[3], operation[4], operation[5]
    if kind or gated:
        gate(kind, gated, source, width, scratch)
        source = scratch
    floats(table[operation[8]], row + 1)[row] = quantize(source, width, table[operation[6]] + row * operation[7])


@compiled
def _run_product(operation, piece, table, rows):
    """All rows times some tiles of a weight."""
    left, left_stride, row_scales = table[operation[1]], operation[2], table[operation[3]]
    weight, count = table[operation[4]], operation[5]
    sums, scales, bias, tiles = table[operation[6]], table[operation[7]], table[operation[8]], operation[9]
    out, out_stride, add = table[operation[10]], operation[11], operation[12]
    each = _tiles_each(tiles, rows)
    for tile in range(piece * each, min((piece + 1) * each, tiles)):
        offset = tile * OUTPUTS * 4
        for row in range(0, rows, MOST_ROWS):
            bytes_tile(
                min(MOST_ROWS, rows - row),
                left + row * left_stride,
                left_stride,
                row_scales + 4 * row,
                weight + tile * count * OUTPUTS * 4,
                count,
                sums + offset,
                scales + offset,
                bias + offset,
                out + row * out_stride + offset,
                out_stride,
                add,
            )
