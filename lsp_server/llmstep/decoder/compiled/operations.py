"""The operations of a program, each in pieces that threads can take.

Their operands are those that `Builder` writes, in that order; `table` gives the address of a piece of memory, and
`state` what changes from step to step.
"""

from __future__ import annotations

from llmstep.decoder.compiled.attention import BLOCK as QUERIES
from llmstep.decoder.compiled.attention import clear, copy, run_attend, run_attend_rows, run_store
from llmstep.decoder.compiled.compiler import compiled
from llmstep.decoder.compiled.native import floats
from llmstep.decoder.compiled.program import ATTEND, ATTEND_ROWS, FLOATS, GATE, NIBBLES, NORM, PRODUCT, ROWS, STORE
from llmstep.decoder.compiled.rowwise import gate, norm, quantize
from llmstep.decoder.compiled.tiles import (
    BLOCK,
    BLOCK_BYTES,
    BYTES_ROWS,
    FLOATS_ROWS,
    GROUP,
    GROUP_BYTES,
    NIBBLES_ROWS,
    OUTPUTS,
    bytes_tile,
    floats_tile,
    unpack,
)

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
        tokens = max(1, QUERIES // operation[2])
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
        _run_product(operation, piece, table, state[ROWS], scratch)
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
def _give(source, width, operation, first, row, table):
    """A row to what products read: memory, stride and, where it is to be bytes, scales and corrections."""
    target = table[operation[first]] + row * operation[first + 1]
    scales, more = operation[first + 2], operation[first + 3]
    if scales == 0:
        if source != target:
            copy(source, target, width)
        return
    correction = table[more] + row * operation[first + 4]
    floats(table[scales], row + 1)[row] = quantize(source, width, target, correction)


@compiled
def _run_norm(operation, epsilon, row, table, scratch):
    """The norm of a row."""
    source, width = table[operation[1]] + row * operation[2], operation[3]
    norm(source, width, table[operation[4]], table[operation[5]], epsilon, scratch)
    _give(scratch, width, operation, 6, row, table)


@compiled
def _run_gate(operation, row, table, scratch):
    """The activation of a row."""
    source, width, kind, gated = table[operation[1]] + row * operation[2], operation[3], operation[4], operation[5]
    if kind or gated:
        gate(kind, gated, source, width, scratch)
        source = scratch
    _give(source, width, operation, 6, row, table)


@compiled
def _run_product(operation, piece, table, rows, scratch):
    """All rows times some tiles of a weight."""
    kind, left, left_stride, row_scales = operation[1], table[operation[2]], operation[3], table[operation[4]]
    more, more_stride, weight, count = table[operation[5]], operation[6], table[operation[7]], operation[8]
    tiles, scales, bias = operation[9], table[operation[10]], table[operation[11]]
    out, out_stride, add = table[operation[12]], operation[13], operation[14]
    each, blocks, size, few = _tiles_each(tiles, rows), 1, count * 4 * OUTPUTS, kind == NIBBLES and rows <= NIBBLES_ROWS
    if kind == NIBBLES:
        blocks = (count * GROUP + BLOCK - 1) // BLOCK
        size = count * GROUP_BYTES + blocks * 4 * OUTPUTS
        clear(scratch, OUTPUTS)
    most = FLOATS_ROWS if kind == FLOATS else BYTES_ROWS
    for tile in range(piece * each, min((piece + 1) * each, tiles)):
        offset = tile * OUTPUTS * 4
        for block in range(blocks):
            right, steps, factors, sums = weight + tile * size + block * BLOCK_BYTES, count, scales + offset, more
            if kind == NIBBLES:
                steps = min(BLOCK // GROUP, count - block * (BLOCK // GROUP))
                factors, sums = right + steps * GROUP_BYTES, more + 4 * (block + 1)
                if not few:
                    unpack(right, steps, scratch + 4 * OUTPUTS)
                    right, steps = scratch + 4 * OUTPUTS, steps * (GROUP // 4)
            for row in range(0, rows, most):
                now, start, target = min(most, rows - row), left + row * left_stride, out + row * out_stride + offset
                if kind == FLOATS:
                    floats_tile(now, start, left_stride, right, 4 * OUTPUTS, count, scratch, 4 * OUTPUTS)
                    for number in range(now):
                        _give_sums(scratch + number * 4 * OUTPUTS, bias + offset, target + number * out_stride, add)
                    continue
                bytes_tile(
                    few,
                    now,
                    start + block * BLOCK,
                    left_stride,
                    row_scales + 4 * row,
                    sums + row * more_stride,
                    more_stride,
                    right,
                    steps,
                    factors,
                    bias + offset if block == 0 else scratch,
                    target,
                    out_stride,
                    add + block,
                )


@compiled
def _give_sums(source, bias, target, add):
    """A row of a tile with its biases."""
    row, moves, out = floats(source, OUTPUTS), floats(bias, OUTPUTS), floats(target, OUTPUTS)
    if add:
        for i in range(OUTPUTS):
            out[i] += row[i] + moves[i]
    else:
        for i in range(OUTPUTS):
            out[i] = row[i] + moves[i]
