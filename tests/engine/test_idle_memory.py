"""Memory goes back to the system when an idle model is unloaded."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import attrs
import psutil
import pytest
from tiny_models import llama, saved
from waiting import until

from llmstep.decoder import packed
from llmstep.engine.engine import Engine
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is counted otherwise elsewhere")
@pytest.mark.parametrize(("dtype", "share"), [("float32", 1.0), ("int8", 0.25)])
async def test_an_idle_model_gives_its_memory_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, share: float
) -> None:
    monkeypatch.setattr(packed.platformdirs, "user_cache_path", lambda _: tmp_path / "cache")
    model = llama(hidden_size=768, intermediate_size=3072, num_hidden_layers=6, num_attention_heads=12)
    weights = sum(parameter.nbytes for parameter in model.parameters())
    assert weights > 150e6
    folder = saved(model, tmp_path / "model")
    del model
    resident = psutil.Process(os.getpid()).memory_info
    named = attrs.evolve(Settings(), model=str(folder), template="pythia", device="cpu", dtype=dtype)
    settings = attrs.evolve(named, idle_unload_minutes=0)
    engine = Engine(settings)
    try:
        before = resident().rss
        answer = await engine.generate(PromptInput(Goal("⊢ p")), SamplingParams(2, 0.5, 1.0, 4, seed=1))
        assert answer.drawn == 2
        loaded = resident().rss
        assert loaded - before > 0.8 * share * weights
        engine.store.change(attrs.evolve(settings, idle_unload_minutes=0.05 / 60))
        await until(lambda: engine.status.state == "empty")
        await until(lambda: loaded - resident().rss > 0.9 * share * weights)
    finally:
        await engine.close()
