"""The bundled starter model, and the one command that makes it anew."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from llmstep.catalog.store import STARTER_DIR as STARTER
from llmstep.errors import LlmstepError
from llmstep.training.config import Architecture, TrainConfig
from starter import dataset, evaluate, recipe
from starter.__main__ import app
from starter.judge import Trial, judge

if TYPE_CHECKING:
    from pathlib import Path


def test_the_bundled_folder_is_small_and_whole() -> None:
    files = {file.name: file.stat().st_size for file in STARTER.iterdir() if file.is_file()}
    assert set(files) <= {*recipe.SHIPPED, "__init__.py", "README.md"}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(files)
    assert sum(files.values()) <= recipe.LARGEST
    assert json.loads((STARTER / "config.json").read_text())["architectures"] == ["GPTNeoXForCausalLM"]


def test_the_bundled_model_finds_steps_that_lean_accepts(lean: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(STARTER, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(STARTER)
    assert tokenizer.eos_token == "<|endoftext|>"
    assert sum(p.numel() for p in model.parameters()) < 5_000_000
    cases = {
        "(p q : Prop) (hp : p) (hq : q) : p ∧ q": "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q",
        "(Zuv Kep : Prop) : Zuv → Kep → Zuv": "Zuv Kep : Prop\n⊢ Zuv → Kep → Zuv",
        "(gim bol : Nat) (same : gim = bol) : bol = gim": "gim bol : Nat\nsame : gim = bol\n⊢ bol = gim",
        "(p q : Prop) (h : p ∧ q) : q": "p q : Prop\nh : p ∧ q\n⊢ q",
        "(kk : Nat) : kk + 0 = kk": "kk : Nat\n⊢ kk + 0 = kk",
        "(x1 y1 : Nat) : x1 + y1 = y1 + x1": "x1 y1 : Nat\n⊢ x1 + y1 = y1 + x1",
        "(p q : Prop) (h : p ∧ q) : q ∧ p": "p q : Prop\nh : p ∧ q\n⊢ q ∧ p",
        "(Zuv Kep : Prop) (lorem7 : Zuv) : Zuv ∨ Kep": "Zuv Kep : Prop\nlorem7 : Zuv\n⊢ Zuv ∨ Kep",
        "(X : Type) (s t : X → Prop) (all : ∀ x, s x → t x) (x : X) (hx : s x) : t x": (
            "X : Type\ns t : X → Prop\nall : ∀ (x : X), s x → t x\nx : X\nhx : s x\n⊢ t x"
        ),
        ": True": "⊢ True",
        ": True ∧ True": "⊢ True ∧ True",
        ": 1 + 1 = 2": "⊢ 1 + 1 = 2",
    }
    trials = [
        Trial(statement, tactic)
        for statement, goal in cases.items()
        for tactic in evaluate.sample_steps(model, tokenizer, goal, 10, seed=5)
    ]
    verdicts = judge([str(lean)], trials)
    accepted = {trial.statement for trial, verdict in zip(trials, verdicts, strict=True) if verdict != "invalid"}
    assert accepted == set(cases)


def test_samples_are_the_same_for_the_same_seed() -> None:
    model = AutoModelForCausalLM.from_pretrained(STARTER, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(STARTER)
    state = torch.get_rng_state()
    first, again = (evaluate.sample_steps(model, tokenizer, "p : Prop\n⊢ p → p", 5, seed=2) for _ in range(2))
    torch.set_rng_state(state)
    assert first == again
    assert len(set(first)) == len(first)


def test_one_command_goes_from_nothing_to_an_installed_model(
    lean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset.make_shard, "__defaults__", (60, dataset.FAMILIES))
    monkeypatch.setattr(evaluate, "TEXTBOOK", {"nat": (": 2 + 2 = 4",), "equality": ("(a : Nat) : a = a",)})
    whole = recipe.starter_configs
    shape = Architecture(hidden=32, layers=1, heads=2, feed_forward=32, vocabulary=320, positions=512)

    def small(folder: Path) -> list[TrainConfig]:
        brief = {
            "architecture": shape,
            "max_steps": 3,
            "save_every": 3,
            "batch_size": 4,
            "progress": False,
            "valid": "",
        }
        return [attrs.evolve(config, **brief) for config in whole(folder)]

    monkeypatch.setattr(recipe, "starter_configs", small)
    arguments = ["--lean", str(lean), "--out", str(tmp_path), "--shards", "2", "--processes", "1", "--threads", "1"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.output.count("3 steps") == 2
    assert "textbook: " in result.output

    evaluation = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["textbook"]["goals"] == 2
    assert evaluation["generated"]["goals"] >= 1
    train = {json.loads(line)["theorem"] for line in (tmp_path / "data" / "train.jsonl").open(encoding="utf-8")}
    chosen = evaluate.held_out_statements(tmp_path / "data" / "test.jsonl", 50, 1)
    assert not train & {statement for _, statement in chosen}

    size = recipe.install(tmp_path / "model", tmp_path / "package")
    assert size == sum(file.stat().st_size for file in (tmp_path / "package").iterdir()) < recipe.LARGEST
    AutoModelForCausalLM.from_pretrained(tmp_path / "package")


def test_an_incomplete_or_too_large_model_is_not_installed(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    with pytest.raises(LlmstepError, match="has no config"):
        recipe.install(model, tmp_path / "target")
    for name in recipe.SHIPPED:
        (model / name).write_bytes(b"x" * (recipe.LARGEST // 4))
    with pytest.raises(LlmstepError, match="the package carries"):
        recipe.install(model, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_the_recipe_of_the_starter_is_two_valid_configurations(tmp_path: Path) -> None:
    first, second = (config.checked() for config in recipe.starter_configs(tmp_path))
    assert first.from_scratch
    assert second.base == first.out
    assert second.out == str(tmp_path / "model")
    assert first.vocabulary_from == second.train
    assert TrainConfig().architecture != first.architecture
