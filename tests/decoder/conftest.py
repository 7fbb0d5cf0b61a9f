"""Tiny models of each architecture in folders, with what transformers makes of them."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

from prompts import NEW, text


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Where a tiny model is; see `architectures`."""
    root = tmp_path_factory.mktemp("architectures")

    @functools.cache
    def folder(name: str) -> Path:
        from architectures import make
        from tiny_models import saved

        return saved(make(name), root / name)

    return folder


@pytest.fixture(scope="session")
def reference() -> Callable[..., np.ndarray[Any, Any]]:
    """Log-probabilities behind a prompt and behind each of `NEW`, by transformers in float32."""

    @functools.cache
    def find(name: str, length: int) -> Any:
        import torch
        from architectures import make

        model, ids = make(name), text(length)
        with torch.inference_mode():
            if model.config.is_encoder_decoder:
                begun = torch.tensor([[0, *NEW]])
                logits = model(input_ids=torch.tensor([ids]), decoder_input_ids=begun).logits[0]
            else:
                logits = model(input_ids=torch.tensor([[*ids, *NEW]])).logits[0, length - 1 :]
        return logits.double().log_softmax(-1).numpy()

    return find


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where packed models go."""
    return tmp_path_factory.mktemp("packed")
