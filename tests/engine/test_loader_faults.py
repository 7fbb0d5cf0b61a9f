"""Everything that can be wrong with the files of a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psutil
import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

from llmstep.engine.device import Placement
from llmstep.engine.loader import inspect, load
from llmstep.errors import ModelLoadError, ModelNotFoundError, ModelTooLargeError

from .loading import CPU, edit_json, failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_an_empty_folder(tmp_path: Path) -> None:
    error = failure(tmp_path, ModelNotFoundError)
    assert error.message == f"The folder {tmp_path} holds no model: it has no config.json."
    assert "save_pretrained" in error.hint


@pytest.mark.parametrize("content", ["{", "[]", "\x00"])
def test_a_broken_config(copy_of: Callable[[str], Path], content: str) -> None:
    folder = copy_of("neox")
    (folder / "config.json").write_text(content)
    error = failure(folder, ModelLoadError)
    assert error.message.startswith(f"The model file {folder / 'config.json'} ")
    assert "cannot be read: it is not JSON" in error.message or error.message.endswith("holds no JSON object.")


def test_a_config_that_contradicts_itself(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    edit_json(folder / "config.json", hidden_size="many")
    error = failure(folder, ModelLoadError)
    assert error.message.startswith(f"The model file {folder / 'config.json'} cannot be read (")


def test_an_unknown_architecture(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    edit_json(folder / "config.json", model_type="mindreader")
    error = failure(folder, ModelLoadError)
    assert error.message == (
        f"The model m has the architecture 'mindreader', which transformers {transformers.__version__} does not know."
    )
    assert "pip install -U transformers" in error.hint


def test_a_model_that_is_no_text_generator(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    (folder / "config.json").write_text(json.dumps({"model_type": "vit"}))
    error = failure(folder, ModelLoadError)
    assert error.message == "The model m (vit) does not generate text."
    assert "llmstep models" in error.hint


@pytest.mark.parametrize("removed", [["tokenizer.json"], ["tokenizer.json", "tokenizer_config.json"]])
@pytest.mark.parametrize("name", ["neox", "llama"])
def test_a_missing_tokenizer(copy_of: Callable[[str], Path], name: str, removed: list[str]) -> None:
    folder = copy_of(name)
    for file in removed:
        (folder / file).unlink()
    error = failure(folder, ModelLoadError)
    assert error.message.startswith("The tokenizer of m is missing or ")
    assert error.hint == "Put the tokenizer's files (tokenizer.json, tokenizer_config.json) beside the weights."


def test_a_broken_tokenizer(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("llama")
    (folder / "tokenizer.json").write_text('{"version"')
    assert failure(folder, ModelLoadError).message.startswith("The tokenizer of m is missing or broken (")


def test_truncated_weights(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    path = folder / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-5000])
    error = failure(folder, ModelLoadError)
    assert error.message == f"The model file {path} has {len(data) - 5000} bytes where its header says another number."


def test_truncated_pickles(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    torch.save(AutoModelForCausalLM.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:-5000])
    error = failure(folder, ModelLoadError)
    assert error.message.startswith("The model m cannot be loaded (PytorchStreamReader failed")
    assert str(folder) in error.hint


def test_missing_weights(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    (folder / "model.safetensors").unlink()
    assert "has no weights that transformers reads" in failure(folder, ModelLoadError).message


def test_tensors_that_are_not_there_are_not_made_up(copy_of: Callable[[str], Path]) -> None:
    """transformers fills them with random numbers and a warning; the suggestions would be nonsense."""
    folder = copy_of("neox")
    edit_json(folder / "config.json", num_hidden_layers=3)
    error = failure(folder, ModelLoadError)
    assert error.message.startswith(
        "The weights of m are incomplete: 12 tensors are missing, for example gpt_neox.layers.2."
    )
    assert "config.json" in error.hint


def test_tensors_of_another_shape(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    edit_json(folder / "config.json", hidden_size=64)
    assert failure(folder, ModelLoadError).message.startswith("The model m cannot be loaded (")


def giant(folder: Path, parameters: int) -> None:
    """Weights of a size that is only claimed: the file has a hole instead of them."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [parameters], "data_offsets": [0, 4 * parameters]}}).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 4 * parameters)


def test_a_model_that_is_too_large(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    memory = psutil.virtual_memory().total
    giant(folder, memory // 4)
    error = failure(folder, ModelTooLargeError)
    assert error.message.startswith("The model m needs about ")
    assert " of memory in float32 on cpu, and " in error.message
    assert error.message.endswith(" are free.")
    assert error.hint == (
        "Close other programs, or set llmstep.dtype to bfloat16, which takes half of it, or choose a smaller model."
    )
    half = failure(folder, ModelTooLargeError, placement=Placement("cpu", "bfloat16"), freeable=-memory // 2)
    assert "bfloat16" in half.message
    assert half.hint == "Close other programs, or choose a smaller model."


def test_the_model_in_memory_makes_room(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    memory = psutil.virtual_memory().total
    giant(folder, memory // 4)
    plan = inspect(folder, name="m", placement=CPU, freeable=2 * memory)
    assert plan.weight_bytes == memory // 4 * 4


def test_memory_that_runs_out_while_loading(tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        torch.empty(1 << 60)

    plan = inspect(tiny_models["neox"], name="m", placement=CPU)
    monkeypatch.setattr(transformers.GPTNeoXForCausalLM, "eval", fail)
    with pytest.raises(ModelTooLargeError) as caught:
        load(plan)
    assert caught.value.message.startswith("The model m needs about ")
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_the_decoder_has_to_start_with_something(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("byt5")
    edit_json(folder / "config.json", decoder_start_token_id=None, bos_token_id=None)
    edit_json(folder / "generation_config.json", decoder_start_token_id=None, bos_token_id=None)
    error = failure(folder, ModelLoadError)
    assert error.message == "The model m does not say with which token its decoder starts."
    assert "decoder_start_token_id" in error.hint
