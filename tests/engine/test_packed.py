"""Models in eight bits on disk: made once, read without the original, made anew when something is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch

from llmstep.engine import eight_bits, int8, packed
from llmstep.engine.decode import decode
from llmstep.engine.device import Placement
from llmstep.engine.loader import load
from llmstep.engine.network import network_for
from llmstep.engine.plan import inspect
from llmstep.engine.prompt import EncodedPrompt
from llmstep.engine.tensor_file import TensorFile
from llmstep.errors import ModelLoadError
from llmstep.types import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llmstep.engine.loaded import LoadedModel, Plan

pytestmark = pytest.mark.skipif(not int8.works(), reason="this CPU has no exact products of bytes")

PROMPT = EncodedPrompt([40, 50, 60, 70, 80, 90, 100])
NAMES = ("neox", "llama", "byt5")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr(packed.platformdirs, "user_cache_path", lambda _: folder)
    return folder


def plan_of(folder: Path) -> Plan:
    return inspect(folder, name="some/model", placement=Placement("cpu", "int8"))


def logits(network: Any) -> torch.Tensor:
    with torch.inference_mode():
        first = network.read(PROMPT, 2, 3, lambda: None)
        return torch.cat((first, network.step(torch.tensor([30, 31])), network.step(torch.tensor([32, 33]))))


def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often the original is read."""
    from llmstep.engine import loader

    calls: list[int] = []
    plain = loader._read

    def read(*arguments: Any) -> Any:
        calls.append(1)
        return plain(*arguments)

    monkeypatch.setattr(loader, "_read", read)
    return calls


@pytest.mark.parametrize("name", NAMES)
def test_the_second_start_does_without_the_original(
    loaded_models: dict[str, LoadedModel], tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It has the very numbers of the weights that were quantized in memory."""
    calls = reads(monkeypatch)
    plan = plan_of(tiny_models[name])
    plain = loaded_models[name]
    expected = logits(eight_bits.network(plain.model, plain.start_id))
    first = load(plan)
    second = load(plan)
    assert len(calls) == 1
    for loaded in (first, second):
        assert torch.equal(logits(loaded.network), expected)
        assert (loaded.end_ids, loaded.start_id, loaded.pad_id) == (plain.end_ids, plain.start_id, plain.pad_id)
    close = logits(plain.network)
    assert (close.log_softmax(-1) - expected.log_softmax(-1)).abs().mean() < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_it_answers(tiny_models: dict[str, Path], name: str) -> None:
    loaded = load(plan_of(tiny_models[name]))
    samples = decode(loaded, PROMPT, Sampling(count=5, temperature=1.0, max_new_tokens=6, seed=1))
    assert len(samples) == 5
    assert all(0 < sample.tokens <= 6 for sample in samples)


def test_packing_leaves_the_model_where_it_is(loaded_models: dict[str, LoadedModel], tmp_path: Path) -> None:
    """Weights that are mapped stay mapped: what is joined for a product is given up with it."""
    model = loaded_models["byt5"].model
    places = [each.data_ptr() for each in model.parameters()]
    packed.pack(loaded_models["byt5"], tmp_path / "packed.safetensors")
    assert [each.data_ptr() for each in model.parameters()] == places


def test_embeddings_stay_in_the_file(
    copy_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    """A request needs few of their rows; they may be deleted while they are used."""
    plan = plan_of(copy_of("neox"))
    expected = logits(load(plan).network)
    monkeypatch.setattr(packed, "_LARGE", 1000)
    mapped: list[str] = []
    plain = TensorFile.mapped
    monkeypatch.setattr(TensorFile, "mapped", lambda file, name: mapped.append(name) or plain(file, name))
    loaded = load(plan)
    assert mapped == ["other.gpt_neox.embed_in.weight"]
    [file] = (cache / "packed").iterdir()
    file.unlink()
    assert torch.equal(logits(loaded.network), expected)


def test_half_precision_on_disk_is_no_obstacle(copy_of: Callable[[str], Path]) -> None:
    from transformers import AutoModelForCausalLM

    folder = copy_of("llama")
    model = AutoModelForCausalLM.from_pretrained(folder).to(torch.bfloat16)
    model.save_pretrained(folder)
    exact = network_for(model.float(), None)
    assert (logits(exact).log_softmax(-1) - logits(load(plan_of(folder)).network).log_softmax(-1)).abs().mean() < 0.1


@pytest.mark.parametrize("damage", [b"", b"\0" * 400, b"cut"])
def test_a_damaged_file_is_made_anew(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, cache: Path, damage: bytes
) -> None:
    plan = plan_of(tiny_models["neox"])
    calls = reads(monkeypatch)
    expected = logits(load(plan).network)
    [file] = (cache / "packed").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-100] if damage == b"cut" else damage)
    assert torch.equal(logits(load(plan).network), expected)
    assert file.read_bytes() == whole
    assert len(calls) == 2


def test_other_files_are_another_model(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    before = packed.path_for("some/model", folder)
    assert before.name.startswith("some-model-")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes())
    assert packed.path_for("some/model", folder) != before


def test_what_cannot_be_run_in_int8(copy_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(copy_of("neox"))
    monkeypatch.setattr(packed, "is_plain", lambda *_: False)
    with pytest.raises(ModelLoadError, match="cannot be run in int8") as caught:
        load(plan)
    assert "llmstep.dtype" in caught.value.hint
    monkeypatch.setattr(eight_bits, "kernel", lambda: None)
    with pytest.raises(ModelLoadError, match="no exact products of bytes"):
        load(attrs.evolve(plan, name="m"))
