"""Operations that treat each row by itself: norms, activations, rounding to eight bits, and the choice of a token."""

from __future__ import annotations

import math

import numpy as np

from llmstep.decoder.compiled.compiler import as_bits, as_float, compiled, floats, ints, kept, octets, shorts
from llmstep.decoder.config import GELU, GELU_TANH, RELU, SILU
from llmstep.decoder.weights import BLOCK, GROUP

_ONE, _HALF, _ZERO = np.float32(1), np.float32(0.5), np.float32(0)
_TINY = np.float32(1e-30)
_127 = np.float32(127)
_SHIFT = np.float32(128.5)
_LOG2E = np.float32(1 / math.log(2))
_LOWEST = np.float32(-125)
_HIGHEST = np.float32(126)
_C1, _C2, _C3, _C4, _C5, _C6 = (np.float32(math.log(2) ** n / math.factorial(n)) for n in range(1, 7))
_E0, _E1, _E2, _E3, _E4, _E5 = (
    np.float32(n) for n in (0.3275911, 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
)
_ROOT_HALF = np.float32(math.sqrt(0.5))
_MOST_HALF = np.float32(65504)
_HALF_SCALE = np.float32(2.0**-112)
"""The exponent of 16 bits is less by that."""
_TWICE = np.float32(2 * math.sqrt(2 / math.pi))
_CUBE = np.float32(0.044715)
_PART = 1024
"""Tokens whose probabilities are added in float32; the sums of parts are added in float64."""


@compiled
def exp(x):
    """To about seven digits: 2^n, made of its bits, times the series of 2^f for f up to a half."""
    power = min(max(x * _LOG2E, _LOWEST), _HIGHEST) + (x - x)  # what is no number stays none
    whole = np.int32(power + _SHIFT) - np.int32(128)
    f = power - np.float32(whole)
    series = _ONE + f * (_C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * (_C5 + f * _C6)))))
    return series * as_float((whole + np.int32(127)) << np.int32(23))


@compiled
def erf(x):
    """Within 2e-7, by formula 7.1.26 of Abramowitz and Stegun's handbook."""
    size = abs(x)
    t = _ONE / (_ONE + _E0 * size)
    rest = t * (_E1 + t * (_E2 + t * (_E3 + t * (_E4 + t * _E5)))) * exp(-size * size)
    return _ONE - rest if x > _ZERO else rest - _ONE


@compiled
def largest(row, count):
    """The largest absolute value of the bits `row`; those of what is no number are above all others."""
    most = np.int32(0)
    for i in range(count):
        most = max(most, row[i] & np.int32(0x7FFFFFFF))
    return as_float(most)


@compiled
def quantize(address, count, target, more):
    """Round a row to -127..127, up to a whole number of groups; its scale.

    Args:
        target: Bytes, [groups x 32].
        more: int32 [1 + blocks]: -128 times the sum of the row, and of each block (see `tiles`).
    """
    row = floats(address, count)
    padded, blocks = (count + GROUP - 1) // GROUP * GROUP, (count + BLOCK - 1) // BLOCK
    out, sums = octets(target, padded), ints(more, 1 + blocks)
    most = largest(ints(address, count), count)
    if most < _TINY:
        most = _TINY
    factor = _127 / most
    for i in range(count):
        out[i] = np.int8(np.int32(row[i] * factor + _SHIFT) - np.int32(128))
    for i in range(count, padded):
        out[i] = np.int8(0)
    total = np.int32(0)
    for block in range(blocks):
        part = np.int32(0)
        for i in range(block * BLOCK, min((block + 1) * BLOCK, padded)):
            part += np.int32(out[i])
        sums[1 + block] = np.int32(-128) * part
        total += part
    sums[0] = np.int32(-128) * total
    return most / _127


@compiled
def to_halves(source, target, stride, count):
    """Round numbers to 16 bits, `stride` numbers apart.

    What is too large becomes the largest, and what is no number stays none.
    """
    row = floats(source, count)
    out = shorts(target, (count - 1) * stride + 1)
    for i in range(count):
        bits = as_bits(row[i])
        size = bits & np.int32(0x7FFFFFFF)
        scaled = as_bits(min(as_float(size), _MOST_HALF) * _HALF_SCALE)
        rounded = (scaled + np.int32(0xFFF) + ((scaled >> np.int32(13)) & np.int32(1))) >> np.int32(13)
        if size >= np.int32(0x7F800000):
            rounded = np.int32(0x7E00)
        out[i * stride] = np.int16(rounded | ((bits >> np.int32(16)) & np.int32(0x8000)))


@compiled
def norm(source, width, weight, bias, epsilon, target):
    """RMS norm, or with a bias the usual one, of a row."""
    row, out, factors = floats(source, width), floats(target, width), floats(weight, width)
    squares = _ZERO
    if bias == 0:
        for i in range(width):
            squares += row[i] * row[i]
        scale = _ONE / np.float32(math.sqrt(squares / np.float32(width) + epsilon))
        for i in range(width):
            out[i] = row[i] * scale * factors[i]
        return
    total = _ZERO
    for i in range(width):
        total += row[i]
    mean = total / np.float32(width)
    for i in range(width):
        out[i] = row[i] - mean
    for i in range(width):
        squares += out[i] * out[i]
    scale = _ONE / np.float32(math.sqrt(squares / np.float32(width) + epsilon))
    moves = floats(bias, width)
    for i in range(width):
        out[i] = out[i] * scale * factors[i] + moves[i]


@compiled
def gate(kind, gated, source, width, target):
    """The activation function of a row's numbers; with `gated`, of the first half, times the second."""
    x, out = floats(source, width), floats(target, width)
    if kind == GELU_TANH:
        for i in range(width):
            out[i] = x[i] / (_ONE + exp(-_TWICE * (x[i] + _CUBE * x[i] * x[i] * x[i])))
    elif kind == SILU:
        for i in range(width):
            out[i] = x[i] / (_ONE + exp(-x[i]))
    elif kind == RELU:
        for i in range(width):
            out[i] = x[i] if not x[i] < _ZERO else _ZERO
    elif kind == GELU:
        for i in range(width):
            out[i] = _HALF * x[i] * (_ONE + erf(x[i] * _ROOT_HALF))
    if gated:
        up = floats(source + 4 * width, width)
        for i in range(width):
            out[i] *= up[i]


@compiled
def softmax(address, seen, count):
    """The softmax of the first `seen` of a row's numbers; the others become 0."""
    row = floats(address, count)
    most = row[0]
    for i in range(1, seen):
        most = max(most, row[i])
    total = _ZERO
    for i in range(seen):
        row[i] = exp(row[i] - most)
        total += row[i]
    scale = _ONE / total
    for i in range(seen):
        row[i] *= scale
    for i in range(seen, count):
        row[i] = _ZERO


@kept
def choose(source, rows, vocabulary, temperature, numbers, tokens, likely):
    """The token at each number's share of a row's distribution, or with temperature 0 the likeliest one.

    Args:
        source: Address of float32 [rows, vocabulary]; with one row, that of all numbers.
        numbers: float64 [n], in [0, 1).
        tokens: int64 [n], written.
        likely: float32 [n], written: log-probabilities at temperature 1.
    """
    sums = np.empty((vocabulary + _PART - 1) // _PART)
    for place in range(len(numbers)):
        row = floats(source + (place % rows) * vocabulary * 4, vocabulary)
        most, best = row[0], 0
        for i in range(vocabulary):
            most = max(most, row[i])
        whole, total = 0.0, 0.0
        scale = np.float32(1.0 / temperature) if temperature > 0 else np.float32(1)
        for part in range(len(sums)):
            first, last = part * _PART, min((part + 1) * _PART, vocabulary)
            one, other = np.float32(0), np.float32(0)
            for i in range(first, last):
                one += exp(row[i] - most)
                other += exp((row[i] - most) * scale)
            whole += one
            sums[part] = other
            total += other
        if temperature > 0:
            share, part = numbers[place] * total, 0
            while part < len(sums) - 1 and share >= sums[part]:
                share -= sums[part]
                part += 1
            best, found = part * _PART, np.float64(0)
            for i in range(part * _PART, min((part + 1) * _PART, vocabulary)):
                more = np.float64(exp((row[i] - most) * scale))
                if more > 0:
                    best = i
                found += more
                if found > share:
                    break
        else:
            for i in range(vocabulary):
                if row[i] == most:
                    best = i
                    break
        tokens[place] = best
        likely[place] = np.float32(np.float64(row[best] - most) - np.log(whole))
