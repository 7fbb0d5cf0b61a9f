"""The bundled starter model, and the one command that makes it anew."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from llmstep.catalog.store import STARTER_DIR as STARTER
from llmstep.errors import LlmstepError
from llmstep.training.config import TrainConfig
from starter import dataset, evaluate, recipe
from starter.__main__ import app
from starter.network import Shape

NAMED = Path(__file__).with_name("named.jsonl")


def test_the_bundled_folder_is_small_and_whole() -> None:
    files = {file.name: file.stat().st_size for file in STARTER.iterdir() if file.is_file()}
    assert set(files) <= {*recipe.SHIPPED, "__init__.py", "README.md"}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(files)
    assert sum(files.values()) <= recipe.LARGEST
    assert json.loads((STARTER / "config.json").read_text())["architectures"] == ["GPTNeoXForCausalLM"]


@pytest.mark.lean
def test_the_bundled_model_knows_what_everyone_tries_first(lean: Path) -> None:
    """By itself, also with hypotheses in another order and with long names: `named.jsonl` has them all."""
    records = [json.loads(line) for line in NAMED.read_text(encoding="utf-8").splitlines()]
    figures = evaluate.evaluate_model("starter", [str(lean)], records)
    assert figures["goals"] == len(records) >= 60
    assert figures["accepted"]["share"] >= 0.95
    assert figures["closed"]["share"] >= 0.8


def test_one_command_goes_from_nothing_to_an_installed_model(
    lean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset.make_shard, "__defaults__", (60, dataset.FAMILIES))
    whole = recipe.starter_configs
    shape = Shape(hidden=32, layers=1, heads=2, feed_forward=32, vocabulary=320, positions=512)
    monkeypatch.setattr(recipe, "SHAPE", shape)

    def small(folder: Path, *, larger: bool) -> list[TrainConfig]:
        brief = {"max_steps": 3, "save_every": 3, "batch_size": 4, "progress": False, "valid": ""}
        return [attrs.evolve(config, **brief) for config in whole(folder)]

    monkeypatch.setattr(recipe, "starter_configs", small)
    arguments = ["--lean", str(lean), "--out", str(tmp_path), "--shards", "2", "--processes", "1", "--threads", "1"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.output.count("3 steps") == 2
    assert "statements held out" in result.output

    evaluation = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["goals"] >= 1
    train = {json.loads(line)["theorem"] for line in (tmp_path / "data" / "train.jsonl").open(encoding="utf-8")}
    chosen = evaluate.held_out(tmp_path / "data" / "test.jsonl", 50, 1)
    assert not train & {record["statement"] for record in chosen}

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
    assert second.base == first.out
    assert second.out == str(tmp_path / "model")


def test_the_larger_network_is_one_that_the_package_can_carry(tmp_path: Path) -> None:
    first, second = (config.checked() for config in recipe.starter_configs(tmp_path, larger=True))
    shape = recipe.LARGER
    parameters = shape.layers * (4 * shape.hidden**2 + 2 * shape.hidden * shape.feed_forward)
    parameters += shape.vocabulary * shape.hidden
    assert recipe.LARGEST * 0.9 < 2 * parameters < recipe.LARGEST * 0.98
    assert first.batch_size == second.batch_size == 512
