"""Draws continuations of a prompt from a language model on CPUs: weights, tokens and log-probabilities, nothing else.

    model = load(folder)
    for each in model.sample("theorem", 10, SamplingParams(max_tokens=32)):
        print(each.text, each.logprob)

This page names all that other code needs to know. The package imports nothing of the rest of llmstep, and neither torch
nor transformers. README.md has the design, the figures, the limits.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from llmstep.decoder.config import supports, why_unsupported, why_unsupported_adapter
from llmstep.decoder.interface import (
    Continuation,
    DamagedError,
    DecoderError,
    Footprint,
    Lead,
    MemoryShortError,
    Progress,
    Quantization,
    SamplingParams,
    StoppedError,
    Tokenizer,
    UnsupportedError,
)
from llmstep.decoder.model import Decoder

if TYPE_CHECKING:
    from llmstep.decoder.folder import measure
    from llmstep.decoder.loading import load, prepare

__all__ = [
    "Continuation",
    "DamagedError",
    "Decoder",
    "DecoderError",
    "Footprint",
    "Lead",
    "MemoryShortError",
    "Progress",
    "Quantization",
    "SamplingParams",
    "StoppedError",
    "Tokenizer",
    "UnsupportedError",
    "load",
    "measure",
    "prepare",
    "supports",
    "why_unsupported",
    "why_unsupported_adapter",
]

_LATER = {"load": "loading", "measure": "folder", "prepare": "loading"}
"""Functions whose modules take time to import, which is done at their first use."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
