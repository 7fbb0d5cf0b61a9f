"""Attention to the keys and values of a prompt, which all rows share, and to a sample's own.

The prompt's keys are [heads, width, capacity] and its values [heads, capacity, padded width], so that scores and sums
are tiles; the samples' own are [heads, samples, tokens, width]. Those of the prompt have 16 or 32 bits, the others 32.
"""

from __future__ import annotations

import numpy as np

from llmstep.decoder.compiled.compiler import compiled, floats
from llmstep.decoder.compiled.program import OWN, ROWS, SLOTS, START
from llmstep.decoder.compiled.rowwise import norm, softmax, to_halves
from llmstep.decoder.compiled.tiles import FLOATS_ROWS, floats_tile
from llmstep.decoder.weights import TILE

QUERIES = 48
"""Queries that one piece of work is about."""
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def padded(count):
    """Up to a whole number of tiles."""
    return (count + TILE - 1) // TILE * TILE


@compiled
def run_store(op, head, state):
    """Keys and values of a prompt's tokens go into the cache, of one head; the keys normed and rotated."""
    width, capacity, unit, wide = op.width, op.capacity, op.unit, padded(op.width)
    keys, values = op.keys + head * width * capacity * unit, op.values + head * capacity * wide * unit
    for row in range(state[ROWS]):
        token, place = state[START] + row, op.source + row * op.source_stride
        key = place + op.key + head * op.next_key
        _take_head(op, key, op.key_norm, op.key_norm_bias, token, _ONE, key)
        _keep(key, keys + token * unit, capacity, width, unit)
        _keep(place + op.value + head * op.next_value, values + token * wide * unit, 1, width, unit)


@compiled
def run_attend(op, piece, state, scratch):
    """A block of rows attends to the prompt or input in the cache, and samples to their own tokens behind it, to which
    they add one; one head of the keys and all queries that use it."""
    group, width, capacity, unit, wide = op.group, op.width, op.capacity, op.unit, padded(op.width)
    head, block, each = piece % op.heads, piece // op.heads, max(1, QUERIES // group)
    first, last = block * each, min((block + 1) * each, state[ROWS])
    rows, length, sampling = (last - first) * group, state[op.length], op.own_keys != 0
    own = state[OWN] + 1 if sampling else 0
    most = min(length, state[START] + last) if op.causal else length
    columns = padded(most) + padded(own)
    queries, scores = scratch, scratch + rows * width * 4
    sums = scores + rows * columns * 4
    for token in range(first, last):
        place = op.source + token * op.source_stride
        position = length + own - 1 if sampling else state[START] + token
        if sampling:
            newest = (_own(op, head, state, token) + own - 1) * width * 4
            key = place + op.key + head * op.next_key
            _take_head(op, key, op.key_norm, op.key_norm_bias, position, _ONE, op.own_keys + newest)
            copy(place + op.value + head * op.next_value, op.own_values + newest, width)
        for number in range(group):
            query = place + op.query + (head * group + number) * op.next_query
            target = queries + ((token - first) * group + number) * width * 4
            _take_head(op, query, op.query_norm, op.query_norm_bias, position, op.scale, target)
    keys = op.keys + head * width * capacity * unit
    _product(op, rows, queries, width * 4, keys, capacity, width, padded(most), scores, columns * 4)
    for row in range(rows):
        token, query, mine = first + row // group, head * group + row % group, scores + row * columns * 4
        position = length + own - 1 if sampling else state[START] + token
        if sampling:
            keys = op.own_keys + _own(op, head, state, token) * width * 4
            for i in range(own):
                floats(mine, columns)[length + i] = _dot(queries + row * width * 4, keys + i * width * 4, width)
        seen = min(length, position + 1) if op.causal else length + own
        if op.biases != 0:
            place = query * (2 * op.max_distance + 1) + op.max_distance - position
            _add_times(op.biases + place * 4, _ONE, mine, seen)
        softmax(mine, seen, columns)
    values = op.values + head * capacity * wide * unit
    _product(op, rows, scores, columns * 4, values, wide, most, wide, sums, wide * 4)
    for row in range(rows):
        token, query, mine = first + row // group, head * group + row % group, scores + row * columns * 4
        target = op.target + token * op.target_stride + query * width * 4
        copy(sums + row * wide * 4, target, width)
        if sampling:
            values = op.own_values + _own(op, head, state, token) * width * 4
            for i in range(own):
                _add_times(values + i * width * 4, floats(mine, columns)[length + i], target, width)


@compiled
def _own(op, head, state, row):
    """The first of a sample's own tokens, counted from the first of all."""
    return (head * op.max_rows + state[SLOTS + row]) * op.max_tokens


@compiled
def _take_head(op, source, weight, bias, position, scale, target):
    """Copy a query or a key, normed where there is a weight, rotated where there are angles, and scaled."""
    width, half = op.width, op.half
    if weight != 0:
        norm(source, width, weight, bias, op.epsilon, target)
    elif source != target:
        copy(source, target, width)
    out = floats(target, width)
    if half > 0:
        angle = position * half * 4
        cosines, sines = floats(op.cos + angle, half), floats(op.sin + angle, half)
        for i in range(half):
            one, other = out[i], out[half + i]
            out[i] = one * cosines[i] - other * sines[i]
            out[half + i] = other * cosines[i] + one * sines[i]
    for i in range(width):
        out[i] *= scale


@compiled
def _product(op, rows, left, left_stride, right, width, count, columns, out, stride):
    """`out = left @ right`, with a cache's numbers at the right, columns in whole tiles; `left` and `out` have strides
    in bytes, and `right` has `width` numbers a row."""
    unit = op.unit
    for column in range(0, columns, TILE):
        for row in range(0, rows, FLOATS_ROWS):
            few, start, target = min(FLOATS_ROWS, rows - row), left + row * left_stride, out + row * stride + 4 * column
            place = right + unit * column
            floats_tile(unit == 2, few, start, left_stride, place, unit * width, count, op.zeros, target, stride, False)


@compiled
def _keep(source, target, stride, count, unit):
    """Copy numbers into the cache of a prompt, `stride` numbers apart."""
    if unit == 2:
        to_halves(source, target, stride, count)
        return
    out = floats(target, (count - 1) * stride + 1)
    for i in range(count):
        out[i * stride] = floats(source, count)[i]


@compiled
def copy(source, target, count):
    """Numbers from one place to another."""
    row, out = floats(source, count), floats(target, count)
    for i in range(count):
        out[i] = row[i]


@compiled
def _add_times(source, factor, target, count):
    """Numbers times a factor are added to others."""
    row, out = floats(source, count), floats(target, count)
    for i in range(count):
        out[i] += factor * row[i]


@compiled
def _dot(one, other, count):
    a, b = floats(one, count), floats(other, count)
    total = _ZERO
    for i in range(count):
        total += a[i] * b[i]
    return total
