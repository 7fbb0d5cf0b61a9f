"""Operations that treat each row by itself: norms, activations, and rounding to eight bits."""

from __future__ import annotations

import math

import numpy as np

from llmstep.engine.compiled.compiler import compiled
from llmstep.engine.compiled.native import as_float, floats, ints, octets

PLAIN, GELU, GELU_TANH, RELU, SILU = range(5)
ACTIVATIONS = {
    "gelu": GELU,
    "gelu_new": GELU_TANH,
    "gelu_fast": GELU_TANH,
    "gelu_pytorch_tanh": GELU_TANH,
    "relu": RELU,
    "silu": SILU,
    "swish": SILU,
}
"""By the names that configurations use."""

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
_TWICE = np.float32(2 * math.sqrt(2 / math.pi))
_CUBE = np.float32(0.044715)


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
def _largest(row, count):
    """The largest absolute value of the bits `row`; those of what is no number are above all others."""
    largest = np.int32(0)
    for i in range(count):
        largest = max(largest, row[i] & np.int32(0x7FFFFFFF))
    return as_float(largest)


@compiled
def quantize(address, count, target):
    """Round a row to -127..127, plus 128; its scale."""
    row = floats(address, count)
    out = octets(target, count)
    most = _largest(ints(address, count), count)
    if most < _TINY:
        most = _TINY
    factor = _127 / most
    for i in range(count):
        out[i] = np.uint8(np.int32(row[i] * factor + _SHIFT))
    return most / _127


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
def activate(kind, source, target, count):
    """The activation function of every number."""
    x, out = floats(source, count), floats(target, count)
    if kind == GELU_TANH:
        for i in range(count):
            out[i] = x[i] / (_ONE + exp(-_TWICE * (x[i] + _CUBE * x[i] * x[i] * x[i])))
    elif kind == SILU:
        for i in range(count):
            out[i] = x[i] / (_ONE + exp(-x[i]))
    elif kind == RELU:
        for i in range(count):
            out[i] = x[i] if not x[i] < _ZERO else _ZERO
    elif kind == GELU:
        for i in range(count):
            out[i] = _HALF * x[i] * (_ONE + erf(x[i] * _ROOT_HALF))
    else:
        for i in range(count):
            out[i] = x[i]


@compiled
def gate(kind, gated, source, width, target):
    """The activation of a row's numbers; with `gated`, of the first half times the second."""
    activate(kind, source, target, width)
    if gated:
        up, out = floats(source + 4 * width, width), floats(target, width)
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
