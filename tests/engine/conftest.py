"""Tiny random models of each architecture, engines that have them, and a hub of our own that serves them.

Heavy imports stand inside the fixtures, so that tests without a model do not pay for them.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from fake_hub import Hub
from tiny_models import byt5_config, byte_level_tokenizer, llama, neox, saved

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from llmstep.engine.engine import Engine
    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.worker import Worker

    from .real_engines import Models

sys.path.insert(0, str(Path(__file__).parent))

CORPUS = ["intro h", "exact h", "rw [add_comm]", "simp only [Nat.add_zero]", "[GOAL]⊢ p → q[PROOFSTEP]", "∀ x, p x ∧ q"]
END = "<|endoftext|>"


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of `neox`, `llama` and `byt5`: two layers, hidden size 32, random weights."""
    import torch
    import transformers
    from transformers import T5ForConditionalGeneration

    torch.set_num_threads(1)  # more only wait for each other with models this small
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(20)
    root = tmp_path_factory.mktemp("models")
    tokenizer = byte_level_tokenizer(CORPUS * 10, 340, [END], eos_token=END, bos_token=END, pad_token=END)
    of_tokenizer = {"vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": 0}
    sizes = {"intermediate_size": 64, "max_position_embeddings": 256}
    t5 = byt5_config(d_model=32, d_ff=64, num_layers=2, num_heads=2)
    made = {
        "neox": (neox(**of_tokenizer, **sizes), tokenizer),
        "llama": (llama(**of_tokenizer, **sizes), tokenizer),
        "byt5": (T5ForConditionalGeneration(t5), None),
    }
    return {name: saved(model, root / name, words) for name, (model, words) in made.items()}


@pytest.fixture(scope="session")
def loaded_models(tiny_models: dict[str, Path]) -> dict[str, LoadedModel]:
    """The tiny models in memory, by the code that loads all models."""
    from llmstep.engine.device import Placement
    from llmstep.engine.loader import inspect, load

    placement = Placement("cpu", "float32")
    return {name: load(inspect(folder, name=name, placement=placement)) for name, folder in tiny_models.items()}


@pytest.fixture(scope="session")
def own_models(tiny_models: dict[str, Path]) -> dict[str, LoadedModel]:
    """The tiny models as the engine loads them on a CPU."""
    import attrs

    from llmstep.engine import own_decoder
    from llmstep.settings import Settings

    settings = attrs.evolve(Settings(), dtype="float32")
    found = {}
    for name, folder in tiny_models.items():
        plan = own_decoder.inspect(folder, name=name, settings=settings)
        assert plan is not None
        found[name] = own_decoder.load(plan)
    return found


@pytest.fixture
def copy_of(tiny_models: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a tiny model that a test may damage."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(tiny_models[name], tmp_path / f"{name}-copy"))

    return copy


@pytest_asyncio.fixture
async def engine(tiny_models: dict[str, Path]) -> AsyncIterator[Engine]:
    """With the tiny GPT-NeoX model, not loaded yet."""
    from llmstep.engine.engine import Engine

    from .real_engines import neox as with_neox

    engine = Engine(with_neox(tiny_models))
    yield engine
    await engine.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    from llmstep.engine.worker import Worker

    from .gates import LONG

    worker = Worker(limit=3)
    yield worker
    worker.close(LONG)


@pytest.fixture(params=["usual cache", "fixed cache"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The ways of decoding; a cache of a fixed size is what `generate` has on CUDA, where it compiles its step."""
    from llmstep.engine import generate as generate_module

    if request.param == "fixed cache":
        monkeypatch.setattr(generate_module, "is_static", lambda loaded: loaded.start_id is None)
    return lambda loaded: loaded


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Models:
    """What the decoder loads in this test."""
    from .real_engines import Models

    return Models(monkeypatch)


@pytest.fixture
def hub(tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with `tiny/neox`, beside whose files lie many that nobody needs, and an empty cache."""
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import _http

    hub = Hub()
    files = {path.name: path.read_bytes() for path in tiny_models["neox"].iterdir()}
    useless = ("README.md", "pytorch_model.bin", "onnx/model.onnx", "tf_model.h5", "training_args.bin", "code.py")
    hub.repos["tiny/neox"] = {**files, **dict.fromkeys(useless, b"useless")}
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 16_384)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    for module in (file_download, _http):  # the client waits for seconds before each of its five retries
        monkeypatch.setattr(module, "time", _NoSleep())
    yield hub
    hub.go_on.set()
    hub.stop()


class _NoSleep:
    def __getattr__(self, name: str) -> Any:
        import time

        return (lambda _: None) if name == "sleep" else getattr(time, name)
