"""Prints what the decoder makes of models: log-probabilities behind a prompt and behind further tokens, and samples.

    python results.py REQUEST        where REQUEST is a file with JSON, see `main`

It needs neither torch nor pytest, so that it runs wherever the decoder does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from llmstep.decoder import SamplingParams, load


def log_softmax(logits: Any) -> Any:
    wide = logits.astype(np.float64)
    wide -= wide.max(-1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(-1, keepdims=True))


def log_probabilities(model: Any, ids: list[int], new: list[int], rows: int = 2) -> Any:
    """Of all tokens behind the prompt and behind each of the new tokens, [1 + new, vocabulary]."""
    found = [model.network.read(ids, [], rows, len(new) + 1, lambda: False)]
    found += [model.network.step([token] * rows, range(rows))[:1] for token in new]
    return log_softmax(np.concatenate(found))


def main(request: Path) -> None:
    """`models`: folders by name; `formats`; `ids`, `new`: tokens; `cache`: where packed models go."""
    wanted = json.loads(request.read_text())
    results: dict[str, Any] = {}
    if "numba" not in wanted.get("without", ()):
        from llmstep.decoder.compiled.target import target

        results["target"] = target().name
    for name, folder in wanted["models"].items():
        for quantization in wanted["formats"]:
            model: Any = load(folder, quantization=quantization, cache=Path(wanted["cache"]))
            found = log_probabilities(model, wanted["ids"], wanted["new"])
            drawn = model.sample(wanted["ids"], 3, SamplingParams(max_tokens=6, seed=1, temperature=0.7))
            samples = [list(each.tokens) for each in drawn]
            results[f"{name} {quantization}"] = {"logprobs": found.round(5).tolist(), "samples": samples}
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
