"""The operations of a program, each in pieces that threads can take, and the one function that is compiled: `run`.

`op` is a record of `program.OPERATION`, and `state` what changes from step to step.
"""

from __future__ import annotations

from llmstep.decoder.compiled.attention import QUERIES, copy, run_attend, run_store
from llmstep.decoder.compiled.compiler import compiled, fetch, fetch_add, floats, give_way, kept
from llmstep.decoder.compiled.program import ATTEND, FLOATS, GATE, NIBBLES, NORM, PRODUCT, ROWS, STORE
from llmstep.decoder.compiled.rowwise import gate, norm, quantize
from llmstep.decoder.compiled.tiles import BYTES_ROWS, FLOATS_ROWS, NIBBLES_ROWS, bytes_tile, floats_tile, unpack
from llmstep.decoder.weights import BLOCK, BLOCK_BYTES, GROUP, GROUP_BYTES, TILE

_FEW = 24
"""Rows up to which a piece of a product is several tiles of outputs, and not one tile for many rows."""
_TILES = 4
"""Most tiles of outputs in such a piece."""
_PIECES = 16
"""Pieces that a small product should have at least, so that threads end together."""


LINE = 16
"""Counters of an operation, int64: pieces taken in the first, pieces done in the ninth, on another cache line."""
_SPINS = 200
"""Looks at a counter before the processor is given up."""


@kept
def run(operations, state, counters, scratch, first, last):
    """Run operations from `first` up to `last`, together with all threads that do so with the same counters.

    Args:
        operations: Records of `OPERATION`.
        state: int64
        counters: int64 [last - first, LINE], 0 before the first thread begins.
        scratch: Address of memory of this thread alone.
    """
    start = counters.ctypes.data
    for number in range(first, last):
        op = operations[number]
        total = _pieces(op, state)
        taken = start + (number - first) * LINE * 8
        done = taken + 64
        while True:
            piece = fetch_add(taken, 1)
            if piece >= total:
                break
            _run_piece(op, piece, state, scratch)
            fetch_add(done, 1)
        spins = 0
        while fetch(done) < total:
            spins += 1
            if spins > _SPINS:
                give_way()


@compiled
def _pieces(op, state):
    """In how many pieces an operation is done."""
    kind, rows = op.kind, state[ROWS]
    if kind == PRODUCT:
        each = _tiles_each(op.tiles, rows)
        return (op.tiles + each - 1) // each
    if kind == ATTEND:
        tokens = max(1, QUERIES // op.group)
        return op.heads * ((rows + tokens - 1) // tokens)
    return op.heads if kind == STORE else rows


@compiled
def _tiles_each(tiles, rows):
    """Tiles in a piece of a product."""
    return max(1, min(_TILES, tiles // _PIECES)) if rows <= _FEW else 1


@compiled
def _run_piece(op, piece, state, scratch):
    """Do one piece of an operation."""
    kind = op.kind
    if kind == PRODUCT:
        _run_product(op, piece, state[ROWS], scratch)
    elif kind == NORM:
        norm(op.source + piece * op.source_stride, op.width, op.norm, op.norm_bias, op.epsilon, scratch)
        _give(op, piece, scratch)
    elif kind == GATE:
        source = op.source + piece * op.source_stride
        if op.activation != 0:
            gate(op.activation, op.gated, source, op.width, scratch)
            source = scratch
        _give(op, piece, source)
    elif kind == ATTEND:
        run_attend(op, piece, state, scratch)
    elif kind == STORE:
        run_store(op, piece, state)


@compiled
def _give(op, row, source):
    """A row to what products read, which may be bytes."""
    target = op.target + row * op.target_stride
    if op.row_scales != 0:
        corrections = op.corrections + row * op.corrections_stride
        floats(op.row_scales, row + 1)[row] = quantize(source, op.width, target, corrections)
    elif source != target:
        copy(source, target, op.width)


@compiled
def _run_product(op, piece, rows, scratch):
    """All rows times some tiles of a weight."""
    kind, steps = op.weight_kind, op.steps
    each, few, size = _tiles_each(op.tiles, rows), kind == NIBBLES and rows <= NIBBLES_ROWS, steps * 4 * TILE
    blocks, most = 1, FLOATS_ROWS if kind == FLOATS else BYTES_ROWS
    if kind == NIBBLES:
        blocks = (steps * GROUP + BLOCK - 1) // BLOCK
        size = steps * GROUP_BYTES + blocks * 4 * TILE
    for tile in range(piece * each, min((piece + 1) * each, op.tiles)):
        offset = tile * TILE * 4
        bias, factors, corrections = op.bias + offset, op.weight_scales + offset, op.corrections
        for block in range(blocks):
            right, count = op.weight + tile * size + block * BLOCK_BYTES, steps
            if kind == NIBBLES:
                count = min(BLOCK // GROUP, steps - block * (BLOCK // GROUP))
                factors, corrections = right + count * GROUP_BYTES, op.corrections + 4 * (block + 1)
                if not few:
                    unpack(right, count, scratch)
                    right, count = scratch, count * (GROUP // 4)
            for row in range(0, rows, most):
                now, left = min(most, rows - row), op.source + row * op.source_stride + block * BLOCK
                out, stride, add = op.target + row * op.target_stride + offset, op.target_stride, op.add + block
                if kind == FLOATS:
                    floats_tile(False, now, left, op.source_stride, right, 4 * TILE, steps, bias, out, stride, add)
                    continue
                scales, gap, start = op.row_scales + 4 * row, op.corrections_stride, bias if block == 0 else op.zeros
                more = corrections + row * gap
                bytes_tile(
                    few, now, left, op.source_stride, scales, more, gap, right, count, factors, start, out, stride, add
                )
