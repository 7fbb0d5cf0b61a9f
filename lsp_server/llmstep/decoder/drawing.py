"""Drawing tokens from logits: temperature, nucleus, and the log-probabilities of what was drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
Tokens = NDArray[np.int64]


def draw(logits: Array, temperature: float, top_p: float, numbers: Wide) -> tuple[Tokens, Array]:
    """The next token of each sample, and its log-probability in the model's own distribution.

    Args:
        logits: [samples, vocabulary] or, when all samples still have the same text, [1, vocabulary].
        temperature: 0 takes the likeliest token.
        numbers: Random ones, [samples], in [0, 1).
    """
    wide = np.broadcast_to(logits.astype(np.float64), (len(numbers), logits.shape[-1]))
    most = wide.max(-1, keepdims=True)
    if temperature <= 0:
        tokens = wide.argmax(-1)
    else:
        scaled = wide / temperature
        probabilities = np.exp(scaled - scaled.max(-1, keepdims=True))
        probabilities /= probabilities.sum(-1, keepdims=True)
        tokens = _invert(probabilities, numbers) if top_p >= 1 else _nucleus(probabilities, numbers, top_p)
        tokens = np.minimum(tokens, wide.shape[-1] - 1)  # logits that are no numbers lead beyond the end
    logprobs = wide - (most + np.log(np.exp(wide - most).sum(-1, keepdims=True)))
    return tokens, np.take_along_axis(logprobs, tokens[:, None], 1)[:, 0].astype(np.float32)


def _nucleus(probabilities: Wide, numbers: Wide, top_p: float) -> Tokens:
    """Tokens of the nucleus; the likeliest one always is in it."""
    tokens = np.zeros(len(numbers), np.int64)
    # Those below this have less than what the nucleus leaves out, all together, and need not be sorted.
    least = (1 - top_p) / probabilities.shape[-1]
    for row, each in enumerate(probabilities):
        likely = np.flatnonzero(each >= least)
        if len(likely):
            order = likely[np.argsort(-each[likely], kind="stable")]
            ordered = each[order]
            ordered = ordered[: max(1, int((ordered.cumsum() - ordered < top_p).sum()))]
            tokens[row] = order[_invert(ordered[None], numbers[row : row + 1])[0]]
    return tokens


def _invert(probabilities: Wide, numbers: Wide) -> Tokens:
    """The first index whose cumulative probability exceeds the number's share of the whole, [samples]."""
    cumulative = probabilities.cumsum(-1)
    return np.asarray((cumulative <= numbers[:, None] * cumulative[:, -1:]).sum(-1))
