"""Rounds weights and puts them in the order of tiles."""

from __future__ import annotations

import numpy as np

from llmstep.decoder.compiled.compiler import compiled, kept
from llmstep.decoder.compiled.native import as_bits, floats, ints, octets, shorts
from llmstep.decoder.compiled.program import BYTES, NIBBLES
from llmstep.decoder.compiled.rowwise import largest, of_half, to_halves
from llmstep.decoder.compiled.tiles import GROUP, NIBBLES_BLOCK, OUTPUTS

_TRIES = 8
_ZERO = np.float32(0)
_TINY, _127, _EIGHT = np.float32(1e-30), np.float32(127), np.float32(8)
_LEAST, _STEP = np.float32(0.79), np.float32(0.03)


@kept
def pack(kind, source, outputs, inputs, target, scales, scratch):
    """Put rows of a weight into tiles.

    Args:
        kind: BYTES, NIBBLES or FLOATS.
        source: Address of float32 [outputs, inputs].
        target: Address of the first tile that they become.
        scales: Address of float32 [outputs in whole tiles]; written in eight bits.
        scratch: Address of GROUP float32 and an int16.
    """
    for tile in range((outputs + OUTPUTS - 1) // OUTPUTS):
        for lane in range(OUTPUTS):
            output = tile * OUTPUTS + lane
            row = source + output * inputs * 4 if output < outputs else 0
            if kind == BYTES:
                quarters = (inputs + 3) // 4
                _pack_bytes(row, inputs, target + (tile * quarters * OUTPUTS + lane) * 4, quarters, scales + output * 4)
            elif kind == NIBBLES:
                groups = (inputs + GROUP - 1) // GROUP
                for group in range(groups):
                    place = target + (tile * groups + group) * NIBBLES_BLOCK
                    _pack_nibbles(row, inputs, group * GROUP, place, lane, scratch)
            else:
                out = floats(target + (tile * inputs * OUTPUTS + lane) * 4, (inputs - 1) * OUTPUTS + 1)
                for i in range(inputs):
                    out[i * OUTPUTS] = floats(row, inputs)[i] if row != 0 else _ZERO


@compiled
def _pack_bytes(row, inputs, target, quarters, scales):
    """One output: each number is off by half of its scale, a 254th of the largest, at most."""
    out, factor, numbers = octets(target, (quarters - 1) * 4 * OUTPUTS + 4), _ZERO, floats(row, inputs)
    if row != 0:
        most = largest(ints(row, inputs), inputs)  # what is no number stays none
        if most < _TINY:
            most = _TINY
        factor = _127 / most
        floats(scales, 1)[0] = most / _127
    for quarter in range(quarters):
        for place in range(4):
            i = quarter * 4 + place
            found = np.int32(0)
            if row != 0 and i < inputs:
                found = np.int32(np.rint(numbers[i] * factor))
            out[quarter * 4 * OUTPUTS + place] = np.int8(found - np.int32(128) if found >= 0 else found + np.int32(128))


@compiled
def _pack_nibbles(row, inputs, start, target, lane, scratch):
    """A group of one output: the number farthest from 0 becomes -8 or near it, with the scale that errs least."""
    numbers, half = floats(scratch, GROUP), shorts(scratch + 4 * GROUP, 1)
    extreme = _ZERO
    for i in range(GROUP):
        numbers[i] = floats(row, inputs)[start + i] if row != 0 and start + i < inputs else _ZERO
        if abs(numbers[i]) > abs(extreme):
            extreme = numbers[i]
    best, least, bits = _ZERO, _ZERO, np.int16(0)
    for attempt in range(_TRIES):
        scale = extreme / -_EIGHT * (_LEAST + _STEP * np.float32(attempt))
        floats(scratch + 4 * GROUP + 8, 1)[0] = abs(scale)
        to_halves(scratch + 4 * GROUP + 8, scratch + 4 * GROUP, 1, 1)
        near = of_half(half[0])
        near = -near if scale < _ZERO else near
        error = _ZERO
        for i in range(GROUP):
            away = numbers[i] - near * (_nibble(numbers[i], near) - _EIGHT)
            error += away * away
        if attempt == 0 or error < least:
            least, best, bits = error, near, half[0]
    if best < _ZERO:
        bits = np.int16(np.int32(bits) - np.int32(0x8000))
    if as_bits(largest(ints(scratch, GROUP), GROUP)) >= np.int32(0x7F800000):  # what is no number stays none
        bits = np.int16(0x7E00)
    shorts(target + 16 * OUTPUTS + 2 * lane, 1)[0] = bits
    for pair in range(4):
        out = octets(target + pair * 4 * OUTPUTS + 4 * lane, 4)
        for place in range(4):
            lower = np.int32(_nibble(numbers[8 * pair + place], best))
            upper = np.int32(_nibble(numbers[8 * pair + 4 + place], best))
            both = lower | (upper << np.int32(4))
            out[place] = np.int8(both - np.int32(256) if both >= 128 else both)


@compiled
def _nibble(number, scale):
    """8 more than the number in scales, 0 to 15."""
    if scale == _ZERO:
        return _EIGHT
    return min(max(np.rint(number / scale) + _EIGHT, _ZERO), np.float32(15))
