"""The runtime benchmark for CUDA devices, as far as a CPU can show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from llmstep.bench import gpu, runtime_model
from llmstep.bench.hardware import Floor, Speeds
from llmstep.bench.opponents import opponent
from llmstep.bench.runtime import measure
from llmstep.bench.runtime_model import cases_of, run_benchmark, subject
from llmstep.engine.device import Placement
from llmstep.engine.gpu.network import StaticNetwork
from llmstep.errors import RequestError, SettingsError
from llmstep.settings import Settings
from llmstep.types import Sampling

if TYPE_CHECKING:
    from llmstep.bench.runtime_model import Subject


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes subjects of the tiny shape as if the CPU were a GPU."""

    def make(dtype: str) -> Subject:
        placement = Placement("cpu", dtype)
        with monkeypatch.context() as context:
            context.setattr(gpu, "chosen", lambda _: True)
            context.setattr(runtime_model, "place", lambda device, dtype: placement)
            return subject(Settings(model="tiny-shape", device="cuda", dtype=dtype))  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize("dtype", ["bfloat16", "int4"])
def test_a_shape_in_the_format_that_is_asked_for(on_gpu: Any, dtype: str) -> None:
    found = on_gpu(dtype)
    assert (found.dtype, found.random_weights, found.template) == (dtype, True, None)
    assert found.loaded.device == "cpu"
    assert found.loaded.model.device.type == ("meta" if dtype == "int4" else "cpu")
    assert isinstance(found.loaded.network, StaticNetwork) == (dtype == "int4")  # which is for CUDA alone
    assert found.shapes["head"] == (384, 64)
    assert found.shapes["gpt_neox.layers.1.mlp.dense_h_to_4h"] == (256, 64)
    assert len(found.shapes) == 9
    case = cases_of(None, found)[0]
    report = run_benchmark(found, [case], samples=3, fixed=4, rounds=2, threads=1)
    assert (report.dtype, report.cases[0].new_tokens) == (dtype, 12)
    if dtype == "int4":
        with pytest.raises(RequestError, match="are there in int4 only"):
            opponent("upstream-generate", found.loaded, Sampling(), fixed=True, threads=1)


def test_the_floor_is_of_the_bytes_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Speeds(bytes_per_second=1e9, operations_per_second=1e10)
    monkeypatch.setattr(gpu, "speeds", lambda dtype, device: known)
    products = {"layers.0.up": (1000, 512), "head": (2000, 512)}
    for dtype, inner, head in (("bfloat16", 2, 2), ("int8", 1, 1), ("int4", 0.53125, 1)):
        found = gpu.floor(products, dtype, "cuda:0")
        assert found == Floor(known, int(1000 * 512 * inner + 2000 * 512 * head), 1000 * 512)
    assert gpu.floor({"head": (2000, 512)}, "bfloat16", "cuda:0") is None
    assert gpu.floor({}, "bfloat16", "cuda:0") is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int4"])
def test_speeds(dtype: str) -> None:
    speeds = gpu.speeds(dtype, "cpu", block_bytes=1 << 24, width=256)
    assert 1e7 < speeds.bytes_per_second < 1e14
    assert 1e6 < speeds.operations_per_second < 1e16


def test_products_by_name_for_encoder_decoder_models() -> None:
    """What is multiplied with the input alone belongs to the prompt, as in the network for CPUs."""
    from llmstep.bench.shapes import SHAPES
    from llmstep.engine.loaded import LoadedModel

    config = SHAPES["byt5-300m-shape"]()
    with torch.device("meta"):
        from transformers import T5ForConditionalGeneration

        model = T5ForConditionalGeneration(config)
    loaded = LoadedModel(None, model, None, frozenset(), 0, 0, None, network=object())  # type: ignore[arg-type]
    found = Floor.of(gpu.shapes_of(loaded), 1, Speeds(1.0, 1.0))
    inner, hidden, wide = 6 * 64, 1472, 3584
    layer = 4 * inner * hidden + 3 * wide * hidden
    assert found.prompt_weights == 12 * layer + 4 * 2 * inner * hidden
    assert found.step_bytes == 4 * (layer + 2 * inner * hidden) + 384 * hidden
    loaded.network = None
    assert gpu.shapes_of(loaded) == {}


def test_times_are_taken_when_the_device_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once behind every request of ours and of the other."""
    found = subject(Settings(model="tiny-shape", device="cpu"))
    found.loaded.device = "cpu"
    waited: list[str] = []
    monkeypatch.setattr(gpu, "synchronize", waited.append)
    case = cases_of(None, found)[0]
    asked: list[object] = []
    measure(found.loaded, [case], Sampling(2, 0.5, 1.0, 3), rounds=2, against=asked.append)
    assert len(asked) == 2
    assert waited == ["cpu"] * (2 * 2 + 2)


def test_where_there_is_no_gpu() -> None:
    assert not gpu.chosen(Settings(device="cpu"))
    assert gpu.machine("cpu") == {}
    assert gpu.peak_bytes("cpu") > 10_000_000
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError, match="no CUDA device"):
            subject(Settings(model="qwen2-7b-shape", device="cuda"))
