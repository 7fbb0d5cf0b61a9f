"""Rounds weights and puts them in the order of tiles."""

from __future__ import annotations

import numpy as np

from llmstep.decoder.compiled.compiler import as_bits, exact, floats, ints, kept, octets
from llmstep.decoder.compiled.rowwise import largest
from llmstep.decoder.weights import BLOCK, BLOCK_BYTES, GROUP, GROUP_BYTES, TILE

_ZERO, _TINY, _127 = np.float32(0), np.float32(1e-30), np.float32(127)
_LOWEST, _MOST, _FIFTEEN = np.float32(-8), np.float32(7), np.float32(15)
_LEAST = np.float32(0.75)
"""Share of the factor that a group's largest number asks for below which none is tried."""


@kept
def pack(nibbles, source, outputs, inputs, target, scales):
    """Round rows of a weight into tiles.

    Args:
        nibbles: Whether to four bits, else to eight.
        source: Address of float32 [outputs, inputs].
        target: Address of the first tile that they become, zeros.
        scales: Address of float32 [outputs in whole tiles]; written for eight bits.
    """
    quarters, groups, blocks = (inputs + 3) // 4, (inputs + GROUP - 1) // GROUP, (inputs + BLOCK - 1) // BLOCK
    for output in range((outputs + TILE - 1) // TILE * TILE):
        tile, lane = output // TILE, output % TILE
        row, there = source + output * inputs * 4, output < outputs
        if nibbles:
            place = target + tile * (groups * GROUP_BYTES + blocks * 4 * TILE)
            for block in range(blocks):
                start = block * BLOCK
                few, here = min(BLOCK, inputs - start) if there else 0, min(BLOCK // GROUP, groups - start // GROUP)
                _pack_nibbles(row + start * 4, few, place + block * BLOCK_BYTES, here, lane)
        else:
            place = target + (tile * quarters * TILE + lane) * 4
            _pack_bytes(row, inputs if there else 0, place, quarters, scales + output * 4)


@exact
def _pack_bytes(row, inputs, target, quarters, scales):
    """One output: each number is off by half of its scale, a 254th of the largest, at most."""
    out, numbers = octets(target, (quarters - 1) * 4 * TILE + 4), floats(row, inputs)
    most = max(largest(ints(row, inputs), inputs), _TINY)
    factor = _127 / most
    if inputs > 0:
        floats(scales, 1)[0] = most / _127
    for i in range(quarters * 4):
        found = np.int32(np.rint(numbers[i] * factor)) if i < inputs else np.int32(0)
        out[i // 4 * 4 * TILE + i % 4] = np.int8(found - np.int32(128) if found >= 0 else found + np.int32(128))


@exact
def _pack_nibbles(row, inputs, target, groups, lane):
    """A block of one output: in each group the number farthest from 0 becomes -8 or near it."""
    factors = octets(target + 16 * TILE * groups + lane, (groups - 1) * TILE + 1)
    out = octets(target + 4 * lane, groups * 16 * TILE - 4 * lane)
    most = largest(ints(row, inputs), inputs)
    scale = most / (-_LOWEST * _FIFTEEN)
    if as_bits(most) >= np.int32(0x7F800000):  # what is no number stays none
        scale = np.float32(np.nan)
    floats(target + GROUP_BYTES * groups + 4 * lane, 1)[0] = scale
    for group in range(groups):
        count = min(GROUP, inputs - group * GROUP)
        numbers = floats(row + group * GROUP * 4, count)
        factor = _factor(numbers, count, scale)
        factors[group * TILE] = np.int8(np.int32(factor))
        times = _inverse(factor * scale)
        for pair in range(4):
            for place in range(4):
                lower, upper = 8 * pair + place, 8 * pair + 4 + place
                both = np.int32(8) if lower >= count else np.int32(_nibble(numbers[lower], times) - _LOWEST)
                more = np.int32(8) if upper >= count else np.int32(_nibble(numbers[upper], times) - _LOWEST)
                both |= more << np.int32(4)
                out[(group * 4 + pair) * 4 * TILE + place] = np.int8(both - np.int32(256) if both >= 128 else both)


@exact
def _factor(numbers, count, scale):
    """The whole number of scales, -15 to 15, that a group's nibbles err least with."""
    extreme = _ZERO
    for i in range(count):
        if abs(numbers[i]) > abs(extreme):
            extreme = numbers[i]
    if not scale > _TINY:
        return _ZERO
    wanted = extreme / (_LOWEST * scale)
    best, least = _ZERO, _ZERO
    size = max(np.float32(1), np.rint(abs(wanted) * _LEAST))
    while size <= min(_FIFTEEN, abs(wanted) + np.float32(1)):
        factor = -size if wanted < _ZERO else size
        error = _error(numbers, count, factor * scale)
        if best == _ZERO or error < least:
            best, least = factor, error
        size += np.float32(1)
    return best


@exact
def _error(numbers, count, scale):
    """The sum of the squares of what rounding changes, in four sums, which vectors of all processors hold."""
    first, second, third, fourth, times = _ZERO, _ZERO, _ZERO, _ZERO, _inverse(scale)
    whole = count // 4 * 4
    for i in range(0, whole, 4):
        first += _away(numbers[i], scale, times)
        second += _away(numbers[i + 1], scale, times)
        third += _away(numbers[i + 2], scale, times)
        fourth += _away(numbers[i + 3], scale, times)
    for i in range(whole, count):
        first += _away(numbers[i], scale, times)
    return (first + second) + (third + fourth)


@exact
def _away(number, scale, times):
    away = number - scale * _nibble(number, times)
    return away * away


@exact
def _inverse(scale):
    return np.float32(1) / scale if scale != _ZERO and scale == scale else _ZERO


@exact
def _nibble(number, times):
    """The number in scales, whose inverse `times` is, -8 to 7."""
    return min(max(np.rint(number * times), _LOWEST), _MOST)
