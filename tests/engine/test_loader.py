"""What is loaded: formats, memory, reports, code of a model's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM, GenerationConfig

from llmstep.cancel import CancelToken
from llmstep.engine.device import Placement
from llmstep.engine.loader import inspect, load
from llmstep.errors import CancelledError, ModelLoadError
from llmstep.progress import format_bytes

from .loading import CPU, edit_json, failure, open_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.loaded import LoadedModel
    from llmstep.progress import Progress


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
