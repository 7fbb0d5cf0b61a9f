"""Attention to the keys and values of a prompt, which all rows share, and to a sample's own.

The prompt's keys are [heads, width, capacity] and its values [heads, capacity, padded width], so that scores and sums
are tiles; the samples' own are [heads, samples, tokens, width]. Those of the prompt have 16 or 32 bits, the others 32.
"""

from __future__ import annotations

import numpy as np

from llmstep.decoder.compiled.compiler import compiled
from llmstep.decoder.compiled.native import floats
from llmstep.decoder.compiled.program import LENGTH, OWN, ROWS, START
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
    """A block of rows attends to the prompt or input in the cache; one head of the keys and all queries that use it."""
    group, width, capacity, unit, wide = op.group, op.width, op.capacity, op.unit, padded(op.width)
    start, length, tokens = state[START], state[op.length], max(1, QUERIES // op.group)
    head, first = piece % op.heads, piece // op.heads * tokens
    last = min(first + tokens, state[ROWS])
    keys, values = op.keys + head * width * capacity * unit, op.values + head * capacity * wide * unit
    most = min(length, start + last) if op.causal else length
    columns, rows = padded(most), (last - first) * group
    queries, scores = scratch, scratch + rows * width * 4
    sums = scores + rows * columns * 4
    for row in range(rows):
        token, query = first + row // group, head * group + row % group
        place = op.source + token * op.source_stride + op.query + query * op.next_query
        target = queries + row * width * 4
        _take_head(op, place, op.query_norm, op.query_norm_bias, start + token, op.scale, target)
    _product(rows, queries, width * 4, keys, capacity, width, columns, scores, columns * 4, unit)
    for row in range(rows):
        position, query = start + first + row // group, head * group + row % group
        seen = min(length, position + 1) if op.causal else length
        _weigh(op, query, position, scores + row * columns * 4, seen, columns)
    _product(rows, scores, columns * 4, values, wide, most, wide, sums, wide * 4, unit)
    for row in range(rows):
        token, query = first + row // group, head * group + row % group
        copy(sums + row * wide * 4, op.target + token * op.target_stride + query * width * 4, width)


@compiled
def run_attend_rows(op, head, state, scratch):
    """Each sample adds a token to its own, and attends to the prompt and to these; one head of the keys."""
    group, width, capacity, unit, wide = op.group, op.width, op.capacity, op.unit, padded(op.width)
    length, own, longest, rows = state[LENGTH], state[OWN], op.max_tokens, state[ROWS] * op.group
    position, columns, seen = length + own, padded(length) + padded(own + 1), length + own + 1
    queries, scores = scratch, scratch + rows * width * 4
    sums = scores + rows * columns * 4
    own_keys = op.own_keys + head * op.max_rows * longest * width * 4
    own_values = op.own_values + head * op.max_rows * longest * width * 4
    for sample in range(state[ROWS]):
        place, newest = op.source + sample * op.source_stride, (sample * longest + own) * width * 4
        key = place + op.key + head * op.next_key
        _take_head(op, key, op.key_norm, op.key_norm_bias, position, _ONE, own_keys + newest)
        copy(place + op.value + head * op.next_value, own_values + newest, width)
        for each in range(group):
            query = place + op.query + (head * group + each) * op.next_query
            target = queries + (sample * group + each) * width * 4
            _take_head(op, query, op.query_norm, op.query_norm_bias, position, op.scale, target)
    if length > 0:
        keys = op.keys + head * width * capacity * unit
        _product(rows, queries, width * 4, keys, capacity, width, padded(length), scores, columns * 4, unit)
    for row in range(rows):
        mine = floats(scores + row * columns * 4, columns)
        for token in range(own + 1):
            key = own_keys + (row // group * longest + token) * width * 4
            mine[length + token] = _dot(queries + row * width * 4, key, width)
        _weigh(op, head * group + row % group, position, scores + row * columns * 4, seen, seen)
    if length > 0:
        values = op.values + head * capacity * wide * unit
        _product(rows, scores, columns * 4, values, wide, length, wide, sums, wide * 4, unit)
    for row in range(rows):
        target = op.target + row // group * op.target_stride + (head * group + row % group) * width * 4
        if length > 0:
            copy(sums + row * wide * 4, target, width)
        else:
            clear(target, width)
        mine = floats(scores + row * columns * 4, columns)
        for token in range(own + 1):
            value = own_values + (row // group * longest + token) * width * 4
            _add_times(value, mine[length + token], target, width)


@compiled
def _weigh(op, query, position, scores, seen, columns):
    """The softmax of a query's scores, with what its distance from the keys adds to them."""
    if op.biases != 0:
        place = query * (2 * op.max_distance + 1) + op.max_distance - position
        _add(op.biases + place * 4, scores, seen)
    softmax(scores, seen, columns)


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
def _product(rows, left, left_stride, right, width, count, columns, out, out_stride, unit):
    """`out = left @ right`, columns in whole tiles; strides in bytes, `width` in numbers of `unit` bytes."""
    for column in range(0, columns, TILE):
        for row in range(0, rows, FLOATS_ROWS):
            few = min(FLOATS_ROWS, rows - row)
            start, target = left + row * left_stride, out + row * out_stride + 4 * column
            place = right + unit * column
            floats_tile(unit == 2, few, start, left_stride, place, unit * width, count, target, out_stride)


@compiled
def _keep(source, target, stride, count, unit):
    """Copy numbers into the cache of a prompt, `stride` numbers apart."""
    if unit == 2:
        to_halves(source, target, stride, count)
        return
    row, out = floats(source, count), floats(target, (count - 1) * stride + 1)
    for i in range(count):
        out[i * stride] = row[i]


@compiled
def copy(source, target, count):
    """Numbers from one place to another."""
    row, out = floats(source, count), floats(target, count)
    for i in range(count):
        out[i] = row[i]


@compiled
def clear(target, count):
    """Zeros."""
    out = floats(target, count)
    for i in range(count):
        out[i] = _ZERO


@compiled
def _add(source, target, count):
    row, out = floats(source, count), floats(target, count)
    for i in range(count):
        out[i] += row[i]


@compiled
def _add_times(source, factor, target, count):
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
