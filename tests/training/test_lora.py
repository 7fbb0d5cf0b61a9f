"""Adapters: trained, saved, resumed, merged, and loaded by the engine."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from llmstep.catalog.files import is_complete, needed_files
from llmstep.catalog.resolve import STARTER_DIR, resolve
from llmstep.engine import engine as engine_module
from llmstep.engine import own_decoder
from llmstep.engine.loader import load
from llmstep.engine.prepare import prepare
from llmstep.errors import MissingPackageError, ModelLoadError, ModelNotFoundError, SettingsError
from llmstep.settings import Settings
from llmstep.training.config import read_config
from llmstep.training.trainer import run_training
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = {
    "lora": True,
    "lora_rank": 4,
    "lora_alpha": 16,
    "learning_rate": 2e-2,
    "warmup_steps": 1,
    "batch_size": 16,
    "max_steps": 8,
    "save_every": 4,
    "log_every": 4,
    "progress": False,
    "threads": 1,
}
ASK = PromptInput(Goal("p : Prop\nhp : p\n⊢ p"))


def train(base: Path | str, pairs: Path, out: Path, resume: bool = False, **more: Any) -> dict[str, Any]:
    flags = {**FLAGS, "train": str(pairs), "out": str(out), "base": str(base), **more}
    return run_training(read_config(None, flags), resume=resume)


def loaded(folder: Path, **settings: Any) -> Any:
    """What the engine loads for a folder, in this process."""
    chosen = Settings(model=str(folder), device="cpu", **settings)
    return load(prepare(chosen, resolve(chosen), None, lambda _: None, lambda: False))


def weights_with(base: Path, adapter: Path, auto: Any) -> dict[str, torch.Tensor]:
    """The base's weights W + alpha / rank * B A, computed from the two files."""
    state = auto.from_pretrained(base).state_dict()
    parts = load_file(adapter / "adapter_model.safetensors")
    scale = FLAGS["lora_alpha"] / FLAGS["lora_rank"]
    for name, down in parts.items():
        if name.endswith(".lora_A.weight"):
            up = parts[name.replace("lora_A", "lora_B")]
            weight = name.removeprefix("base_model.model.").replace(".lora_A", "")
            state[weight] = state[weight] + scale * (up @ down)
    return state


@pytest.mark.parametrize("kind", ["llama", "byt5"])
def test_an_adapter_is_trained_and_the_engine_merges_it(
    kind: str, request: pytest.FixtureRequest, pairs_file: Path, tmp_path: Path
) -> None:
    base: Path = request.getfixturevalue(kind)
    auto = AutoModelForSeq2SeqLM if kind == "byt5" else AutoModelForCausalLM
    out = tmp_path / "adapter"
    report = train(base, pairs_file, out, valid=str(pairs_file))
    assert report["train_loss"] < report["history"][0]["loss"]
    assert not (out / "model.safetensors").exists()
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)
    assert (out / "adapter_model.safetensors").stat().st_size < (base / "model.safetensors").stat().st_size / 2
    changed = weights_with(base, out, auto)
    before = auto.from_pretrained(base).state_dict()
    assert sum(not torch.equal(before[name], changed[name]) for name in before) >= 14  # 7 linear modules of two layers

    choice = resolve(Settings(model=str(out)))
    assert choice.template.name == ("byt5-state" if kind == "byt5" else "pythia")
    model = loaded(out)
    assert type(model.model) is type(auto.from_pretrained(base))
    for name, tensor in model.model.state_dict().items():
        torch.testing.assert_close(tensor, changed[name], atol=1e-6, rtol=1e-5)


def test_merged_in_training_is_merged_in_the_engine(llama: Path, pairs_file: Path, tmp_path: Path) -> None:
    train(llama, pairs_file, tmp_path / "adapter")
    train(llama, pairs_file, tmp_path / "whole", merge=True, half=False)
    assert not (tmp_path / "whole" / "adapter_config.json").exists()
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole").state_dict()
    adapted = loaded(tmp_path / "adapter").model.state_dict()
    assert whole.keys() == adapted.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(tensor, adapted[name], atol=1e-6, rtol=1e-5)


def test_training_an_adapter_goes_on_where_it_was(llama: Path, pairs_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    first = train(llama, pairs_file, out)
    weights = load_file(out / "adapter_model.safetensors")
    again = train(llama, pairs_file, out, resume=True, max_steps=12)
    assert [record["step"] for record in again["history"] if "loss" in record] == [4, 8, 12]
    assert again["train_loss"] < first["history"][0]["loss"]
    after = load_file(out / "adapter_model.safetensors")
    assert weights.keys() == after.keys()
    assert not all(torch.equal(weights[name], after[name]) for name in weights)


def test_only_the_modules_that_are_named_are_adapted(llama: Path, pairs_file: Path, tmp_path: Path) -> None:
    train(llama, pairs_file, tmp_path / "out", lora_modules="q_proj, v_proj", max_steps=1)
    names = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert {name.split(".")[-3] for name in names} == {"q_proj", "v_proj"}
    with pytest.raises(SettingsError, match="none of the modules query") as caught:
        train(llama, pairs_file, tmp_path / "out", lora_modules="query")
    assert "down_proj, gate_proj, k_proj" in caught.value.hint


@pytest.fixture
def apply_pairs(tmp_path: Path, pairs_file: Path) -> Path:
    file = tmp_path / "apply.jsonl"
    file.write_text(pairs_file.read_text(encoding="utf-8").replace("exact", "apply"), encoding="utf-8")
    return file


async def test_an_adapter_suggests_through_the_engine_also_in_eight_bits(
    apply_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The starter says `exact`; its adapter was taught to say `apply`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "adapter"
    train("starter", apply_pairs, out, max_steps=24, learning_rate=5e-3, save_every=24)
    answers = {}
    for name, settings in {
        "base": Settings(model="starter", device="cpu"),
        "adapter": Settings(model=str(out), device="cpu"),
        "int8": Settings(model=str(out), device="cpu", dtype="int8"),
    }.items():
        engine = engine_module.Engine(settings)
        try:
            answers[name] = await engine.generate(ASK, SamplingParams(count=1, temperature=0, max_new_tokens=12))
        finally:
            await engine.close()
    texts = {name: [candidate.text for candidate in answer.candidates] for name, answer in answers.items()}
    assert texts == {"base": ["exact hp"], "adapter": ["apply hp"], "int8": ["apply hp"]}
    assert json.loads((out / "llmstep.json").read_text()) == {"template": "starter"}
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == str(STARTER_DIR)


def test_what_cannot_be_merged_is_said(llama: Path, pairs_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    train(llama, pairs_file, out, max_steps=1)
    config = json.loads((out / "adapter_config.json").read_text())

    def saved(**more: Any) -> None:
        (out / "adapter_config.json").write_text(json.dumps({**config, **more}))

    saved(base_model_name_or_path=str(tmp_path / "gone"))
    with pytest.raises(ModelNotFoundError, match=r"The base of the adapter .* is missing\. There is no folder .*gone"):
        loaded(out)
    saved(base_model_name_or_path=None)
    with pytest.raises(ModelLoadError, match="does not say which model it is for"):
        loaded(out)
    saved()
    tensors = load_file(out / "adapter_model.safetensors")
    save_file(dict(list(tensors.items())[1:]), out / "adapter_model.safetensors")
    with pytest.raises(ModelLoadError, match="does not belong to its base"):
        loaded(out)
    (out / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelLoadError, match=r"has no adapter_model\.safetensors"):
        loaded(out)


def test_without_peft_training_says_what_to_install_and_the_decoder_does_without(
    llama: Path, pairs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "adapter"
    train(llama, pairs_file, out, max_steps=1)
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    settings = Settings(model=str(out), device="cpu")
    plan = prepare(settings, resolve(settings), None, lambda _: None, lambda: False)
    assert own_decoder.load(plan).decoder is not None
    settings = Settings(model=str(out), device="cpu", dtype="bfloat16")
    with pytest.raises(MissingPackageError, match="needs peft, which is not installed") as caught:
        prepare(settings, resolve(settings), None, lambda _: None, lambda: False)
    assert "llmstep[lora]" in caught.value.hint
    with pytest.raises(MissingPackageError, match="LoRA needs peft"):
        train(llama, pairs_file, tmp_path / "other")


def test_the_files_of_an_adapter_on_the_hub_are_known(llama: Path, pairs_file: Path, tmp_path: Path) -> None:
    names = ["README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "optimizer.pt"]
    assert needed_files(names) == ["adapter_config.json", "adapter_model.safetensors", "tokenizer.json"]
    assert needed_files([*names, "config.json", "model.safetensors"])[:3] == [
        "adapter_config.json",
        "config.json",
        "model.safetensors",
    ]
    train(llama, pairs_file, tmp_path / "out", max_steps=1)
    assert is_complete(tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "cut", ignore=shutil.ignore_patterns("adapter_model*"))
    assert not is_complete(tmp_path / "cut")
