"""The backend over `generate`: what only it runs, models over several devices, and compiling that fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch
from architectures import make
from test_decode import prompt_for

from llmstep.cancel import CancelToken
from llmstep.engine import device as devices
from llmstep.engine import generate, loader
from llmstep.engine.decode import decode
from llmstep.engine.device import Placement
from llmstep.engine.loaded import Plan
from llmstep.engine.plan import inspect
from llmstep.errors import CancelledError, ModelTooLargeError
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    from llmstep.engine.loaded import LoadedModel
    from llmstep.progress import Progress

SIX = SamplingParams(6, 0.8, 0.95, 10, 3)
GIB = 1 << 30


def a_plan(weight_bytes: int, device: Any = "cuda") -> Plan:
    return Plan("big", Path(), None, "causal", Placement(device, "bfloat16"), 1, weight_bytes, False)


@pytest.mark.parametrize(
    ("gigabytes", "free", "where"),
    [
        (10, {0: 24}, {"device_map": {"": 0}}),
        (10, {0: 24, 1: 80}, {"device_map": {"": 0}}),
        (30, {0: 24, 1: 80}, {"device_map": {"": 1}}),
        (30, {0: 24, 1: 24}, {"device_map": "auto", "max_memory": {0: int(24 * GIB / 1.3), 1: int(24 * GIB / 1.3)}}),
    ],
)
def test_a_model_is_divided_only_where_it_fits_no_single_gpu(
    monkeypatch: pytest.MonkeyPatch, gigabytes: int, free: dict[int, int], where: dict[str, Any]
) -> None:
    monkeypatch.setattr(devices, "cuda_free_bytes", lambda: {index: size * GIB for index, size in free.items()})
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert loader._where(a_plan(gigabytes * GIB)) == where


def test_one_device_elsewhere() -> None:
    assert loader._where(a_plan(1, "mps")) == {"device_map": {"": "mps"}}
    assert loader._where(a_plan(1, "cpu")) == {}


@pytest.mark.parametrize("name", ["neox", "llama", "byt5"])
def test_a_model_behind_the_hooks_of_accelerate_writes_the_same(
    tiny_models: dict[str, Path], loaded_models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """accelerate's hooks carry what the layers compute from the one to the other, as between GPUs."""
    from accelerate import dispatch_model

    plan = inspect(tiny_models[name], name=name, placement=Placement("cpu", "float32"))
    made = loader.load(plan)
    half = {key: "cpu" for key, _ in made.model.named_children()}
    made.model = dispatch_model(made.model, device_map=half, main_device="cpu", force_hooks=True)
    prompt = prompt_for(made)
    whole = loaded_models[name]
    assert decode(made, prompt, SIX) == decode(whole, prompt, SIX)


def test_what_would_go_to_the_disk_is_too_large(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = inspect(tiny_models["llama"], name="llama", placement=Placement("cpu", "float32"))
    place = {"model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.layers.1": "disk"}
    rest = {"model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "cpu"}
    monkeypatch.setattr(loader, "_where", lambda _: {"device_map": place | rest, "offload_folder": str(tmp_path)})
    with pytest.raises(ModelTooLargeError, match="The model llama needs about"):
        loader.load(plan)


@pytest.mark.parametrize("name", ["gpt2", "phi", "bart"])
def test_architectures_that_only_generate_runs(loaded_models: dict[str, LoadedModel], name: str) -> None:
    model = make(name)
    start = 2 if model.config.is_encoder_decoder else None
    base = loaded_models["byt5" if start else "llama"]
    loaded = attrs.evolve(base, model=model, start_id=start, end_ids=frozenset(), pad_id=0)
    prompt = prompt_for(loaded, "ab")
    prompt = attrs.evolve(prompt, input_ids=[each % 40 for each in prompt.input_ids])
    samples = decode(loaded, prompt, SIX)
    assert {sample.tokens for sample in samples} == {10}
    assert len({sample.steps for sample in samples}) > 1
    cancel = CancelToken()

    def stop(update: Progress) -> None:
        if update.done == 3:
            cancel.request()

    with pytest.raises(CancelledError):
        decode(loaded, prompt, SIX, progress=stop, cancel=cancel)


def test_where_the_step_cannot_be_compiled_it_is_run_as_it_is(
    loaded_models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = attrs.evolve(loaded_models["llama"])
    monkeypatch.setattr(generate, "is_static", lambda _: True)
    original = type(loaded.model).generate

    def fails(self: Any, *rest: Any, generation_config: Any, **more: Any) -> Any:
        if not generation_config.disable_compile:
            raise RuntimeError("Cannot find a working triton installation.")
        return original(self, *rest, generation_config=generation_config, **more)

    monkeypatch.setattr(type(loaded.model), "generate", fails)
    generate.compile_step(loaded)
    assert not loaded.compiles
    assert len(decode(loaded, prompt_for(loaded), SIX)) == 6


def test_caches_have_few_sizes(loaded_models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "is_static", lambda _: True)
    assert {generate._cache(loaded_models["llama"], size)["max_cache_len"] for size in range(1, 1025)} == {512, 1024}
