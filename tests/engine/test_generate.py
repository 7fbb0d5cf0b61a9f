"""The backend over `generate`: what only it runs, models over several devices, and compiling that fails."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch
from architectures import make

from llmstep.cancel import CancelToken
from llmstep.engine import device as devices
from llmstep.engine import generate, loader
from llmstep.engine.decode import decode
from llmstep.engine.device import Placement
from llmstep.engine.loader import inspect
from llmstep.engine.prompt import EncodedPrompt
from llmstep.errors import CancelledError, GenerationError, ModelLoadError, ModelTooLargeError
from llmstep.types import SamplingParams

from .sampling import prompt_for

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.engine.loaded import LoadedModel
    from llmstep.progress import Progress

SIX = SamplingParams(6, 0.8, 0.95, 10, 3)
GIB = 1 << 30


def place_of(folder: Path, monkeypatch: pytest.MonkeyPatch, weight_bytes: int, device: Any = "cuda") -> dict[str, Any]:
    """Where the weights of a model of this size would go, as transformers is told."""
    said: dict[str, Any] = {}

    def read(*_: Any, **options: Any) -> Any:
        said.update({name: options[name] for name in ("device_map", "max_memory") if name in options})
        raise ValueError("enough")

    monkeypatch.setattr(loader.AutoModelForCausalLM, "from_pretrained", read)
    plan = inspect(folder, name="big", placement=Placement("cpu", "float32"))
    plan = attrs.evolve(plan, placement=Placement(device, "bfloat16"), weight_bytes=weight_bytes)
    with pytest.raises(ModelLoadError, match="enough"):
        loader.load(plan)
    return said


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
    tiny_models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    gigabytes: int,
    free: dict[int, int],
    where: dict[str, Any],
) -> None:
    monkeypatch.setattr(devices, "cuda_free_bytes", lambda: {index: size * GIB for index, size in free.items()})
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert place_of(tiny_models["llama"], monkeypatch, gigabytes * GIB) == where


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_cpu_is_enough_where_torch_has_no_onednn(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with torch.backends.mkldnn.flags(enabled=False):
        made = loader.load(inspect(tiny_models["neox"], name="neox", placement=devices.place("cpu", dtype)))
        samples = decode(made, prompt_for(made), SIX)
    assert len(samples) == SIX.count
    assert all(sample.tokens for sample in samples)


def test_one_device_elsewhere(tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert place_of(tiny_models["llama"], monkeypatch, 1, "mps") == {"device_map": {"": "mps"}}
    assert place_of(tiny_models["llama"], monkeypatch, 1, "cpu") == {}


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
    read = partial(loader.AutoModelForCausalLM.from_pretrained, device_map=place | rest, offload_folder=str(tmp_path))
    monkeypatch.setattr(loader.AutoModelForCausalLM, "from_pretrained", read)
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
    loaded = loaded_models["llama"]
    sizes: list[int] = []

    def run(*_: Any, generation_config: Any, **rest: Any) -> Any:
        sizes.append(generation_config.max_cache_len)
        raise ValueError("enough")

    monkeypatch.setattr(type(loaded.model), "generate", run)
    for length in (1, 500, 502, 503, 1014, 1015):  # and ten tokens that are drawn
        with pytest.raises(GenerationError):
            decode(loaded, EncodedPrompt([5] * length), SIX)
    assert sizes == [512, 512, 512, 1024, 1024, 1536]
