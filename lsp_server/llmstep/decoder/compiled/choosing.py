"""Draws tokens from logits; what numpy would need several passes over a large vocabulary for."""

from __future__ import annotations

import numpy as np

from llmstep.decoder.compiled.compiler import floats, kept
from llmstep.decoder.compiled.rowwise import exp

_PART = 1024
"""Tokens whose probabilities are added in float32; the sums of parts are added in float64."""


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
