"""Loading models, and everything that can be wrong with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM, GenerationConfig

from llmstep.cancel import CancelToken
from llmstep.engine.device import Placement
from llmstep.engine.loader import load
from llmstep.engine.plan import inspect
from llmstep.errors import CancelledError, ModelError, ModelLoadError, ModelNotFoundError, ModelTooLargeError
from llmstep.progress import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.loaded import LoadedModel
    from llmstep.progress import Progress

CPU = Placement("cpu", "float32")


def open_model(folder: Path, placement: Placement = CPU, **options: Any) -> LoadedModel:
    return load(inspect(folder, name="m", placement=placement, **options))


def edit_json(path: Path, **changes: Any) -> None:
    raw = json.loads(path.read_text())
    raw.update(changes)
    path.write_text(json.dumps({key: value for key, value in raw.items() if value is not None}))


def failure(folder: Path, kind: type[ModelError], **options: Any) -> ModelError:
    with pytest.raises(kind) as caught:
        open_model(folder, **options)
    assert type(caught.value) is kind
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith((".", "some."))
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("name", "family", "kind", "end", "start", "positions"),
    [
        ("neox", "causal", "GPTNeoXForCausalLM", 0, None, 256),
        ("llama", "causal", "LlamaForCausalLM", 0, None, 256),
        ("byt5", "seq2seq", "T5ForConditionalGeneration", 1, 0, None),
    ],
)
def test_what_is_loaded(
    loaded_models: dict[str, LoadedModel],
    name: str,
    family: str,
    kind: str,
    end: int,
    start: int | None,
    positions: int | None,
) -> None:
    loaded = loaded_models[name]
    assert loaded.plan.family == family
    assert type(loaded.model).__name__ == kind
    assert (loaded.end_ids, loaded.pad_id, loaded.start_id, loaded.positions) == ({end}, 0, start, positions)
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    parameters = sum(parameter.numel() for parameter in loaded.model.parameters())
    assert loaded.plan.parameters == parameters
    assert loaded.plan.weight_bytes == 4 * parameters


def test_the_format_asked_for(tiny_models: dict[str, Path]) -> None:
    loaded = open_model(tiny_models["neox"], Placement("cpu", "bfloat16"))
    assert loaded.model.dtype == torch.bfloat16
    assert loaded.plan.weight_bytes == 2 * loaded.plan.parameters


def test_pickled_weights(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    loaded = open_model(folder)
    assert torch.equal(loaded.model.get_input_embeddings().weight, model.get_input_embeddings().weight)
    exact = sum(parameter.numel() for parameter in model.parameters())
    assert exact <= loaded.plan.parameters <= 1.2 * exact


@pytest.mark.parametrize("name", ["neox", "byt5"])
def test_the_file_can_be_written_anew_under_a_loaded_model(copy_of: Callable[[str], Path], name: str) -> None:
    """A mapped file that shrinks kills the process."""
    folder = copy_of(name)
    loaded = open_model(folder)
    embeddings = loaded.model.get_input_embeddings().weight
    if name == "byt5":
        assert loaded.model.get_encoder().get_input_embeddings().weight is embeddings  # still shared
    before = embeddings.clone()
    maps = Path("/proc/self/maps")
    assert not maps.exists() or str(folder) not in maps.read_text()
    (folder / "model.safetensors").write_bytes(b"")
    assert torch.equal(before, embeddings)


def test_loading_is_reported(tiny_models: dict[str, Path]) -> None:
    reports: list[Progress] = []
    plan = inspect(tiny_models["llama"], name="m", placement=CPU)
    load(plan, progress=reports.append)
    message = f"Loading m ({format_bytes(plan.weight_bytes)}, cpu)"
    assert {(report.stage, report.message) for report in reports} == {("load", message)}
    counted = [(report.done, report.total) for report in reports if report.total > 1]
    assert counted[0] == (0, counted[0][1])
    assert [done for done, _ in counted] == list(range(len(counted)))
    assert reports[-1].percent == 100


def test_loading_can_be_cancelled(tiny_models: dict[str, Path]) -> None:
    reports: list[Progress] = []
    plan = inspect(tiny_models["llama"], name="m", placement=CPU)
    cancel = CancelToken()

    def progress(update: Progress) -> None:
        reports.append(update)
        if len(reports) == 4:
            cancel.request()

    with pytest.raises(CancelledError):
        load(plan, progress=progress, cancel=cancel)
    assert len(reports) == 4
    assert load(plan).model is not None  # and the next time works


def test_nothing_is_printed_and_logging_is_as_before(
    copy_of: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of("neox")
    verbosity = transformers.utils.logging.get_verbosity()
    open_model(folder)
    edit_json(folder / "config.json", num_hidden_layers=3)
    with pytest.raises(ModelLoadError):
        open_model(folder)
    assert capfd.readouterr() == ("", "")
    assert transformers.utils.logging.get_verbosity() == verbosity


def test_flags_that_the_authors_left_are_dropped_but_their_ends_are_kept(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("neox")
    edit_json(folder / "generation_config.json", top_k=5, repetition_penalty=1.3, do_sample=True, eos_token_id=[0, 7])
    loaded = open_model(folder)
    assert loaded.end_ids == {0, 7}
    assert loaded.model.generation_config.to_diff_dict() == GenerationConfig().to_diff_dict()


def test_an_empty_folder(tmp_path: Path) -> None:
    error = failure(tmp_path, ModelNotFoundError)
    assert error.message == f"The folder {tmp_path} holds no model: it has no config.json."
    assert "save_pretrained" in error.hint


@pytest.mark.parametrize("content", ["{", "[]", "\x00"])
def test_a_broken_config(copy_of: Callable[[str], Path], content: str) -> None:
    folder = copy_of("neox")
    (folder / "config.json").write_text(content)
    error = failure(folder, ModelLoadError)
    assert error.message == f"The model file {folder / 'config.json'} is not valid JSON."


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


CODE = """
from transformers import LlamaConfig, LlamaForCausalLM
import pathlib
pathlib.Path({mark!r}).write_text("ran")
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


def test_code_of_its_own_runs_only_when_allowed(
    copy_of: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = copy_of("llama")
    mark = tmp_path / "mark"
    (folder / "own.py").write_text(CODE.format(mark=str(mark)))
    maps = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    edit_json(folder / "config.json", model_type="own", auto_map=maps)
    error = failure(folder, ModelLoadError)
    assert error.message == "The model m brings Python code of its own, which llmstep runs only with your consent."
    assert "llmstep.trustRemoteCode" in error.hint
    assert not mark.exists()
    loaded = open_model(folder, trust_remote_code=True)
    assert type(loaded.model).__name__ == "OwnModel"
    assert mark.exists()


def test_code_that_is_not_needed_is_not_run(copy_of: Callable[[str], Path]) -> None:
    """Many repositories still carry code from the time before transformers knew their architecture."""
    folder = copy_of("neox")
    edit_json(folder / "config.json", auto_map={"AutoModelForCausalLM": "own.OwnModel"})
    assert type(open_model(folder).model).__name__ == "GPTNeoXForCausalLM"


def test_a_tokenizer_with_code_of_its_own(copy_of: Callable[[str], Path]) -> None:
    """Without leave the code is not run: tokenizer.json does without it, and where that lacks there is no tokenizer."""
    folder = copy_of("neox")
    edit_json(
        folder / "tokenizer_config.json", tokenizer_class="OwnTokenizer", auto_map={"AutoTokenizer": ["own.Own", None]}
    )
    (folder / "own.py").write_text("raise SystemExit('this must not run')")
    assert open_model(folder).tokenizer("intro h")["input_ids"]
    (folder / "tokenizer.json").unlink()
    error = failure(folder, ModelLoadError)
    assert error.message == "The model m brings Python code of its own, which llmstep runs only with your consent."


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
    assert error.message == (f"The model file {path} has {len(data) - 5000} bytes where its header says {len(data)}.")


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
    assert error.message.startswith("The weights of m are incomplete: 12 tensors lack, among them gpt_neox.layers.2.")
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
