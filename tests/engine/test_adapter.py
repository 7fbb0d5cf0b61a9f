"""A LoRA adapter on the hub: it and its base are fetched, merged, and found again in the cache."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from huggingface_hub import try_to_load_from_cache
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from llmstep.cancel import NEVER
from llmstep.catalog.resolve import resolve
from llmstep.catalog.store import cache_path, is_cached
from llmstep.engine import own_decoder
from llmstep.engine.loader import load
from llmstep.engine.prepare import prepare
from llmstep.errors import DownloadError, ModelNotFoundError
from llmstep.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.progress import Progress

SETTINGS = Settings(model="tiny/adapter", device="cpu", template="pythia")


@pytest.fixture
def adapter(hub: Any, tiny_models: dict[str, Path], tmp_path: Path) -> Path:
    """`tiny/adapter` on the hub: random matrices for `tiny/neox`, and the files of a training that nobody needs."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(2)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_models["neox"]),
        LoraConfig(r=2, lora_alpha=6, target_modules=["query_key_value"], init_lora_weights=False),
    )
    folder = tmp_path / "adapter"
    model.save_pretrained(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "tiny/neox"}))
    hub.repos["tiny/adapter"] = {path.name: path.read_bytes() for path in folder.iterdir()} | {"optimizer.pt": b"x"}
    return folder


def fetched(settings: Settings, reports: list[Progress]) -> Any:
    return prepare(settings, resolve(settings), None, reports.append, NEVER)


def test_an_adapter_comes_with_its_base(hub: Any, adapter: Path, tiny_models: dict[str, Path]) -> None:
    reports: list[Progress] = []
    assert not is_cached("tiny/adapter")
    plan = fetched(SETTINGS, reports)
    told = [report.message.split() for report in reports if report.stage == "download"]
    downloads = {words[1] for words in told if words[0] == "Downloading"}
    assert downloads == {"tiny/adapter", "tiny/neox"}
    assert {path.name for path in plan.adapter.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert plan.family == "causal"

    loaded = load(plan)
    parts = load_file(adapter / "adapter_model.safetensors")
    base = AutoModelForCausalLM.from_pretrained(tiny_models["neox"], dtype="float32").state_dict()
    merged = loaded.model.state_dict()
    for name, tensor in base.items():
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        expected = tensor
        if f"{stem}.lora_A.weight" in parts:
            expected = expected + 3.0 * parts[f"{stem}.lora_B.weight"] @ parts[f"{stem}.lora_A.weight"]
            assert not torch.allclose(expected, tensor)
        torch.testing.assert_close(merged[name], expected, atol=1e-6, rtol=1e-5)

    own: Any = own_decoder.load(plan).decoder
    ids, new = [5, 80, 90, 33], [40, 41]
    with torch.inference_mode():
        logits = loaded.model(input_ids=torch.tensor([ids + new])).logits[0, len(ids) - 1 :]
    found = [own.network.read(ids, [], 1, 3, lambda: False), *(own.network.step([token], [0]) for token in new)]
    np.testing.assert_allclose(np.concatenate(found), logits.numpy(), atol=1e-3)

    assert is_cached("tiny/adapter")
    assert cache_path("tiny/adapter") == plan.adapter
    hub.stop()
    assert fetched(SETTINGS, []).adapter == plan.adapter


def test_an_adapter_without_its_base_is_not_whole(hub: Any, adapter: Path) -> None:
    fetched(SETTINGS, [])
    config = try_to_load_from_cache("tiny/neox", "model.safetensors")
    assert isinstance(config, str)
    (adapter.parent / "cache" / "models--tiny--neox").rename(adapter.parent / "gone")
    assert not is_cached("tiny/adapter")
    del hub.repos["tiny/neox"]
    with pytest.raises(ModelNotFoundError, match=r"The base of the adapter tiny/adapter is missing\."):
        fetched(SETTINGS, [])
    hub.stop()
    with pytest.raises((ModelNotFoundError, DownloadError)):
        fetched(SETTINGS, [])
