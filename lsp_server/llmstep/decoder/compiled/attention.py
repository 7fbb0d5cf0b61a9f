"""Attention to the keys and values of a prompt, which all rows share, and to a sample's own.

The prompt's keys are [heads, width, room] and its values [heads, room, padded width], so that scores and sums are
tiles; the samples' own are [heads, samples, longest, width]. Those of the prompt have 16 or 32 bits, the others 32.
"""

from __future__ import annotations

import numpy as np

from llmstep.decoder.compiled.compiler import compiled
from llmstep.decoder.compiled.native import floats
from llmstep.decoder.compiled.program import LENGTH, LONGEST, MOST, OWN, REACH, ROOM, ROWS, START, UNIT
from llmstep.decoder.compiled.rowwise import norm, softmax, to_halves
from llmstep.decoder.compiled.tiles import FLOATS_ROWS, OUTPUTS, floats_tile, halves_tile

BLOCK = 48
"""Queries that one piece of work is about."""
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def padded(count):
    """Up to a whole number of tiles."""
    return (count + OUTPUTS - 1) // OUTPUTS * OUTPUTS


@compiled
def run_store(operation, epsilon, head, table, state):
    """Keys and values of a prompt's tokens go into the cache, of one head; the keys normed and rotated."""
    source, stride = table[operation[2]], operation[3]
    first_key, next_key, first_value, next_value = operation[4], operation[5], operation[6], operation[7]
    width, room, half, unit = operation[8], state[operation[11]], operation[16], state[UNIT]
    weight, bias, cos, sin = (table[operation[12]], table[operation[13]], table[operation[14]], table[operation[15]])
    wide = padded(width)
    keys = table[operation[9]] + head * width * room * unit
    values = table[operation[10]] + head * room * wide * unit
    for row in range(state[ROWS]):
        token = state[START] + row
        angle = token * half * 4
        place = source + row * stride + first_key + head * next_key
        _take_head(place, width, weight, bias, epsilon, cos + angle, sin + angle, half, _ONE, place)
        _keep(place, keys + token * unit, room, width, unit)
        _keep(source + row * stride + first_value + head * next_value, values + token * wide * unit, 1, width, unit)


@compiled
def run_attend(operation, epsilon, scale, piece, table, state, scratch):
    """A block of rows attends to the prompt or input in the cache; one head of the keys and all queries that use it."""
    heads, group = operation[1], operation[2]
    source, stride, first_query, next_query = table[operation[3]], operation[4], operation[5], operation[6]
    width, room, length = operation[7], state[operation[10]], state[operation[11]]
    causal, biases, reach = operation[12], table[operation[13]], state[operation[14]]
    out, out_stride = table[operation[15]], operation[16]
    weight, bias, cos, sin = (table[operation[17]], table[operation[18]], table[operation[19]], table[operation[20]])
    half, start, unit = operation[21], state[START], state[UNIT]
    tokens = max(1, BLOCK // group)
    head, first = piece % heads, piece // heads * tokens
    last = min(first + tokens, state[ROWS])
    wide = padded(width)
    keys, values = table[operation[8]] + head * width * room * unit, table[operation[9]] + head * room * wide * unit
    most = min(length, start + last) if causal else length
    columns = padded(most)
    rows = (last - first) * group
    queries, scores = scratch, scratch + rows * width * 4
    sums = scores + rows * columns * 4
    for row in range(rows):
        token, query = first + row // group, head * group + row % group
        angle = (start + token) * half * 4
        place = source + token * stride + first_query + query * next_query
        target = queries + row * width * 4
        _take_head(place, width, weight, bias, epsilon, cos + angle, sin + angle, half, scale, target)
    _product(rows, queries, width * 4, keys, room, width, columns, scores, columns * 4, unit)
    for row in range(rows):
        position, query = start + first + row // group, head * group + row % group
        seen = min(length, position + 1) if causal else length
        if biases != 0:
            _add(biases + (query * (2 * reach + 1) + reach - position) * 4, scores + row * columns * 4, seen)
        softmax(scores + row * columns * 4, seen, columns)
    _product(rows, scores, columns * 4, values, wide, most, wide, sums, wide * 4, unit)
    for row in range(rows):
        token, query = first + row // group, head * group + row % group
        copy(sums + row * wide * 4, out + token * out_stride + query * width * 4, width)


@compiled
def run_attend_rows(operation, epsilon, scale, head, table, state, scratch):
    """Each sample adds a token to its own, and attends to the prompt and to these; one head of the keys."""
    group, source, stride = operation[2], table[operation[3]], operation[4]
    first_query, next_query, first_key, next_key = operation[5], operation[6], operation[7], operation[8]
    first_value, next_value, width = operation[9], operation[10], operation[11]
    biases, out, out_stride = table[operation[16]], table[operation[17]], operation[18]
    room, length, own, longest, reach = state[ROOM], state[LENGTH], state[OWN], state[LONGEST], state[REACH]
    half, position, unit = operation[25], state[LENGTH] + state[OWN], state[UNIT]
    cos, sin = table[operation[23]] + position * half * 4, table[operation[24]] + position * half * 4
    wide, rows = padded(width), state[ROWS] * group
    columns, seen = padded(length) + padded(own + 1), length + own + 1
    queries, scores = scratch, scratch + rows * width * 4
    sums = scores + rows * columns * 4
    own_keys = table[operation[14]] + head * state[MOST] * longest * width * 4
    own_values = table[operation[15]] + head * state[MOST] * longest * width * 4
    for sample in range(state[ROWS]):
        place, newest = source + sample * stride, (sample * longest + own) * width * 4
        _take_head(
            place + first_key + head * next_key,
            width,
            table[operation[21]],
            table[operation[22]],
            epsilon,
            cos,
            sin,
            half,
            _ONE,
            own_keys + newest,
        )
        copy(place + first_value + head * next_value, own_values + newest, width)
        for each in range(group):
            _take_head(
                place + first_query + (head * group + each) * next_query,
                width,
                table[operation[19]],
                table[operation[20]],
                epsilon,
                cos,
                sin,
                half,
                scale,
                queries + (sample * group + each) * width * 4,
            )
    if length > 0:
        keys = table[operation[12]] + head * width * room * unit
        _product(rows, queries, width * 4, keys, room, width, padded(length), scores, columns * 4, unit)
    for row in range(rows):
        query = head * group + row % group
        mine = floats(scores + row * columns * 4, columns)
        for token in range(own + 1):
            key = own_keys + (row // group * longest + token) * width * 4
            mine[length + token] = _dot(queries + row * width * 4, key, width)
        if biases != 0:
            _add(biases + (query * (2 * reach + 1) + reach - position) * 4, scores + row * columns * 4, seen)
        softmax(scores + row * columns * 4, seen, seen)
    if length > 0:
        values = table[operation[13]] + head * room * wide * unit
        _product(rows, scores, columns * 4, values, wide, length, wide, sums, wide * 4, unit)
    for row in range(rows):
        target = out + row // group * out_stride + (head * group + row % group) * width * 4
        if length > 0:
            copy(sums + row * wide * 4, target, width)
        else:
            clear(target, width)
        mine = floats(scores + row * columns * 4, columns)
        for token in range(own + 1):
            value = own_values + (row // group * longest + token) * width * 4
            _add_times(value, mine[length + token], target, width)


@compiled
def _take_head(source, width, weight, bias, epsilon, cos, sin, half, scale, target):
    """Copy a query or a key, normed where there is a weight, rotated where there are angles, and scaled."""
    if weight != 0:
        norm(source, width, weight, bias, epsilon, target)
    elif source != target:
        copy(source, target, width)
    out = floats(target, width)
    if half > 0:
        cosines, sines = floats(cos, half), floats(sin, half)
        for i in range(half):
            one, other = out[i], out[half + i]
            out[i] = one * cosines[i] - other * sines[i]
            out[half + i] = other * cosines[i] + one * sines[i]
    for i in range(width):
        out[i] *= scale


@compiled
def _product(rows, left, left_stride, right, width, count, columns, out, out_stride, unit):
    """`out = left @ right`, columns in whole tiles; strides in bytes, `width` in numbers of `unit` bytes."""
    for column in range(0, columns, OUTPUTS):
        for row in range(0, rows, FLOATS_ROWS):
            few = min(FLOATS_ROWS, rows - row)
            start, target = left + row * left_stride, out + row * out_stride + 4 * column
            if unit == 2:
                halves_tile(few, start, left_stride, right + 2 * column, 2 * width, count, target, out_stride)
            else:
                floats_tile(few, start, left_stride, right + 4 * column, 4 * width, count, target, out_stride)


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
