"""Finding one model from the settings: names, ids, folders, `auto`, and what is on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import huggingface_hub.constants
import numpy
import pytest
from safetensors.numpy import save_file

from llmstep.catalog import store
from llmstep.catalog.gguf import look_up
from llmstep.catalog.model_key import ModelKey
from llmstep.catalog.models import STARTER, ModelRecord
from llmstep.catalog.registry import find_record
from llmstep.catalog.resolve import STARTER_DIR, Hardware, cache_path, is_cached, resolve
from llmstep.errors import ModelError, ModelLoadError, ModelNotFoundError
from llmstep.settings import Settings

REVISION = "0123456789abcdef0123456789abcdef01234567"
GPU = Hardware("cuda", 24 * 10**9)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache."""
    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    return cache


def put(hub: Path, repo_id: str, config: dict | None = None, files: dict[str, str] | None = None) -> Path:
    """A model in the cache, laid out as `huggingface_hub` does it; `files` are those beside the configuration."""
    repo = hub / f"models--{repo_id.replace('/', '--')}"
    snapshot = repo / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(REVISION)
    (snapshot / "config.json").write_text(json.dumps(config or {}))
    for name, text in ({"model.safetensors": "x", "tokenizer.json": "{}"} if files is None else files).items():
        (snapshot / name).write_text(text)
    return snapshot


def model_folder(path: Path, config: dict, hints: dict | None = None) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").write_text("x")
    (path / "tokenizer.json").write_text("{}")
    if hints is not None:
        (path / "llmstep.json").write_text(json.dumps(hints))
    return path


@pytest.mark.parametrize("name", ["pythia", "llmstep-pythia-2.8b", "wellecks/LLMstep-mathlib4-pythia2.8b", " Pythia "])
def test_a_model_of_the_catalog_by_any_name(hub: Path, name: str) -> None:
    choice = resolve(Settings(model=name))
    assert choice.source == "wellecks/llmstep-mathlib4-pythia2.8b"
    assert choice.template.name == "pythia"
    assert choice.name == "llmstep-pythia-2.8b"
    assert choice.record is find_record("pythia")
    assert choice.trust_remote_code is False


def test_the_starter_is_the_folder_in_the_package() -> None:
    choice = resolve(Settings(model="starter"))
    assert choice.source == str(STARTER_DIR)
    assert STARTER_DIR.parent == Path(store.__file__).parent
    assert resolve(Settings(model=str(STARTER_DIR))).template == choice.template  # its folder says so itself
    assert choice.template.name == "starter"


def test_the_template_of_the_settings_wins(hub: Path, tmp_path: Path) -> None:
    assert resolve(Settings(model="pythia", template="bfs")).template.name == "bfs"
    assert resolve(Settings(model="someone/unknown", template="ntp-st")).template.name == "ntp-st"
    folder = model_folder(tmp_path / "m", {"model_type": "llama"}, {"template": "pythia"})
    assert resolve(Settings(model=str(folder), template="bfs")).template.name == "bfs"


def test_a_template_for_another_family_is_refused(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match="The template pythia is for a decoder-only model, and byt5-small is an enc"
    ) as e:
        resolve(Settings(model="byt5-small", template="pythia"))
    assert e.value.hint == "Set llmstep.template to one of byt5-state, byt5-retrieval."
    folder = model_folder(tmp_path / "m", {"model_type": "llama"})
    with pytest.raises(ModelError, match="byt5-state is for an encoder-decoder model"):
        resolve(Settings(model=str(folder), template="byt5-state"))


def test_an_unknown_template(hub: Path) -> None:
    with pytest.raises(ModelError, match="There is no prompt template 'nope'"):
        resolve(Settings(model="pythia", template="nope"))


def test_an_unknown_name_names_near_ones(hub: Path) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        resolve(Settings(model="bfs-prover-v2-8b"))
    assert caught.value.message == "There is no model 'bfs-prover-v2-8b' in the catalog."
    assert "Did you mean bfs-prover-v2-7b" in caught.value.hint
    with pytest.raises(ModelNotFoundError) as caught:
        resolve(Settings(model="zzzz"))
    assert "Did you mean" not in caught.value.hint
    assert "llmstep models" in caught.value.hint


def test_code_of_its_own_must_be_allowed(hub: Path) -> None:
    with pytest.raises(ModelError, match="internlm2-step-prover brings Python code of its own") as caught:
        resolve(Settings(model="internlm/internlm2-step-prover"))
    assert "llmstep.trustRemoteCode" in caught.value.hint
    assert resolve(Settings(model="internlm2-step-prover", trust_remote_code=True)).trust_remote_code is True
    assert resolve(Settings(model="pythia", trust_remote_code=True)).trust_remote_code is False


def test_other_ids_of_the_hub(hub: Path) -> None:
    choice = resolve(Settings(model="someone/llmstep-fine-tuned", trust_remote_code=True))
    assert (choice.source, choice.template.name, choice.record) == ("someone/llmstep-fine-tuned", "pythia", None)
    assert choice.name == "someone/llmstep-fine-tuned"
    assert choice.trust_remote_code is True
    with pytest.raises(ModelError) as caught:
        resolve(Settings(model="someone/something"))
    assert "The prompt template of the model someone/something is not known." in str(caught.value)
    assert "byt5-state" in caught.value.hint


def test_what_a_cached_model_says_of_itself_is_used(hub: Path) -> None:
    put(hub, "someone/something", {"model_type": "llama"}, {"llmstep.json": '{"template": "ntp-st"}'})
    assert resolve(Settings(model="someone/something")).template.name == "ntp-st"
    put(hub, "someone/other", {"model_type": "gpt_neox"})
    assert resolve(Settings(model="someone/other")).template.name == "pythia"


@pytest.mark.parametrize(
    ("folder", "config", "hints", "template"),
    [
        ("mine", {"model_type": "llama"}, {"template": "bfs"}, "bfs"),
        ("mine", {"model_type": "gpt_neox"}, None, "pythia"),
        ("mine", {"model_type": "gpt_neox"}, {"template": "starter"}, "starter"),
        ("mine", {"model_type": "llama", "_name_or_path": "l3lab/ntp-mathlib-st-deepseek-coder-1.3b"}, None, "ntp-st"),
        ("tacgen-byt5", {"model_type": "t5", "is_encoder_decoder": True}, None, "byt5-state"),
        ("BFS-Prover-V2-7B", {"model_type": "qwen2"}, None, "bfs"),
        ("l3lab/ntp-mathlib-context-x", {"model_type": "llama"}, None, "ntp-context"),
    ],
)
def test_folders(tmp_path: Path, folder: str, config: dict, hints: dict | None, template: str) -> None:
    path = model_folder(tmp_path / folder, config, hints)
    choice = resolve(Settings(model=str(path)))
    assert (choice.source, choice.template.name, choice.record) == (str(path), template, None)
    assert is_cached(str(path))


def test_the_path_above_a_model_says_nothing_about_it(tmp_path: Path) -> None:
    path = model_folder(tmp_path / "llmstep" / "models" / "mine" / "checkpoint", {"model_type": "llama"})
    with pytest.raises(ModelError, match="The prompt template"):
        resolve(Settings(model=str(path)))


def test_home_and_relative_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model_folder(tmp_path / "mine", {"model_type": "gpt_neox"})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert resolve(Settings(model="~/mine")).source == str(path)
    monkeypatch.chdir(tmp_path)
    assert Path(resolve(Settings(model="./mine")).source).resolve() == path.resolve()


def test_folders_that_hold_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"There is no folder .*missing\. Set llmstep\.model"):
        resolve(Settings(model=str(tmp_path / "missing")))
    nobodys = Settings(model="~no-such-user/model")
    with pytest.raises(ModelNotFoundError, match=r"There is no folder .*~no-such-user/model\."):
        look_up(nobodys)
    assert ModelKey.of(nobodys).model.endswith("~no-such-user/model")
    with pytest.raises(ModelNotFoundError, match="There is no GGUF file"):
        look_up(Settings(model="~no-such-user/model.gguf"))
    with pytest.raises(ModelLoadError, match=r"it has no config\.json"):
        resolve(Settings(model=str(tmp_path)))
    (tmp_path / "config.json").write_text("{ not json")
    with pytest.raises(ModelLoadError, match=r"config\.json cannot be read"):
        resolve(Settings(model=str(tmp_path)))
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelLoadError, match="holds no JSON object"):
        resolve(Settings(model=str(tmp_path)))


def test_auto_without_a_cache_is_the_starter(hub: Path) -> None:
    assert resolve(Settings()).name == "starter"
    assert resolve(Settings(), GPU).name == "starter"


def test_auto_takes_the_best_that_is_here_and_fits(hub: Path) -> None:
    put(hub, "kaiyuy/leandojo-lean4-tacgen-byt5-small")
    put(hub, "wellecks/llmstep-mathlib4-pythia2.8b")
    assert resolve(Settings()).name == "byt5-small"
    assert resolve(Settings(), GPU).name == "llmstep-pythia-2.8b"
    put(hub, "l3lab/ntp-mathlib-st-deepseek-coder-1.3b")
    assert resolve(Settings(), GPU).name == "ntp-state-1.3b"
    put(hub, "ByteDance-Seed/BFS-Prover-V2-7B")
    assert resolve(Settings(), GPU).name == "bfs-prover-v2-7b"
    assert resolve(Settings(), Hardware("cuda", 15 * 10**9)).name == "ntp-state-1.3b"
    assert resolve(Settings(dtype="float32"), GPU).name == "ntp-state-1.3b"
    assert resolve(Settings(dtype="fast"), Hardware("cuda", 15 * 10**9)).name == "ntp-state-1.3b"
    assert resolve(Settings(), Hardware("cuda", 3 * 10**9)).name == "byt5-small"
    assert resolve(Settings(), Hardware("mps", 24 * 10**9)).name == "ntp-state-1.3b"
    assert resolve(Settings(), Hardware("cpu", 3 * 10**8)).name == "starter"
    assert resolve(Settings(), Hardware("cpu", 4 * 10**8)).name == "byt5-small"  # in eight bits
    assert resolve(Settings(dtype="float32"), Hardware("cpu", 4 * 10**8)).name == "starter"
    assert resolve(Settings(), Hardware("cpu", 64 * 10**9)).name == "byt5-small"


def test_auto_keeps_to_the_template_and_the_trust_of_the_settings(hub: Path) -> None:
    put(hub, "internlm/internlm2_5-step-prover")
    put(hub, "wellecks/llmstep-mathlib4-pythia2.8b")
    put(hub, "l3lab/ntp-mathlib-st-deepseek-coder-1.3b")
    assert resolve(Settings(), GPU).name == "ntp-state-1.3b"
    assert resolve(Settings(trust_remote_code=True), GPU).name == "internlm2.5-step-prover"
    assert resolve(Settings(template="pythia"), GPU).name == "llmstep-pythia-2.8b"


def test_auto_never_takes_what_is_there_in_part(hub: Path) -> None:
    put(hub, "kaiyuy/leandojo-lean4-tacgen-byt5-small", files={})
    assert cache_path("byt5-small") is not None
    assert not is_cached("byt5-small")
    assert resolve(Settings()).name == "starter"


INDEX = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})


@pytest.mark.parametrize(
    ("files", "complete"),
    [
        ({"model.safetensors": ""}, True),
        ({"pytorch_model.bin": ""}, True),
        ({}, False),
        ({"model.gguf": ""}, False),
        ({"model.safetensors.index.json": INDEX, "model-1.safetensors": ""}, False),
        ({"model.safetensors.index.json": INDEX, "model-1.safetensors": "", "model-2.safetensors": ""}, True),
        ({"pytorch_model.bin.index.json": '{"weight_map": {"a": "pytorch_model-1.bin"}}'}, False),
        (
            {"pytorch_model.bin.index.json": '{"weight_map": {"a": "x.bin"}}', "x.bin": ""},
            True,
        ),
    ],
)
def test_all_weights_must_be_there(hub: Path, files: dict[str, str], complete: bool) -> None:
    snapshot = put(hub, "ByteDance-Seed/BFS-Prover-V2-7B", files={"tokenizer_config.json": "{}", **files})
    assert cache_path("bfs-prover") == snapshot
    assert is_cached("bfs-prover") is complete
    assert is_cached(find_record("bfs-prover")) is complete
    assert is_cached("ByteDance-Seed/BFS-Prover-V2-7B") is complete


def test_without_a_tokenizer_a_model_is_not_whole(hub: Path) -> None:
    snapshot = put(hub, "ByteDance-Seed/BFS-Prover-V2-7B", files={"model.safetensors": ""})
    assert not is_cached("bfs-prover")
    (snapshot / "tokenizer.json").write_text("{}")
    assert is_cached("bfs-prover")


def sizes(record: ModelRecord) -> tuple[int | None, int | None]:
    known = store.known_of(record)
    return known["parameters"], known["size_bytes"]


def test_size_and_weights_of_the_starter_come_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "STARTER_DIR", tmp_path)
    assert sizes(STARTER) == (None, None)
    assert not is_cached("starter")
    tensors = {"a": numpy.zeros((3, 4), numpy.float16), "b": numpy.zeros(5, numpy.float32)}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert sizes(STARTER) == (17, (tmp_path / "model.safetensors").stat().st_size)
    assert sizes(find_record("pythia")) == (2_800_000_000, 5_600_000_000)


def test_names_that_are_no_models_are_not_cached(hub: Path, tmp_path: Path) -> None:
    assert cache_path("nothing") is None
    assert cache_path("a/b/c") is None
    assert cache_path(str(tmp_path)) is None
    assert not is_cached("someone/something")


def test_the_cache_is_where_the_environment_says(tmp_path: Path) -> None:
    hub = tmp_path / "home" / "hub"
    hub.mkdir(parents=True)
    put(hub, "kaiyuy/leandojo-lean4-tacgen-byt5-small")
    code = "from llmstep.catalog.resolve import is_cached; print(is_cached('byt5-small'))"
    for variables, found in (
        ({"HF_HOME": str(tmp_path / "home")}, "True"),
        ({"HF_HOME": str(tmp_path / "elsewhere")}, "False"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code], env={"PATH": "", **variables}, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == found
