"""`llmstep models add` and `remove`: the file, the dry run, and a tiny model that is used by its new name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest
from command_line import run
from output_schema import checked
from tiny_models import neox, saved

from llmstep.catalog import registry
from llmstep.catalog.gguf import choose_gguf, is_gguf
from llmstep.catalog.models import CATALOG, ModelRecord
from llmstep.catalog.registry import find_record
from llmstep.catalog.resolve import resolve
from llmstep.catalog.templates import get_template
from llmstep.engine.remote.questions import template_of
from llmstep.engine.served import launches
from llmstep.errors import LlmstepError, ModelNotFoundError, RequestError, SettingsError
from llmstep.settings import RemoteSettings, Settings

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration folder of the test's own, on every system."""
    folder = tmp_path / "config"
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: folder / name)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-NeoX of one layer whose tokens are bytes."""
    model = neox(hidden_size=16, num_hidden_layers=1, intermediate_size=16, initializer_range=0.02)
    return saved(model, tmp_path_factory.mktemp("models") / "tiny one")


def models(*arguments: str) -> str:
    return run("models", *arguments)


def record(name: str = "mine", model: str = "someone/some-model", **more: Any) -> ModelRecord:
    return ModelRecord(name=name, repo_id=model, template="bfs", summary="Your own", added=True, **more)


def test_added_listed_used_removed(tiny: Path, home: Path) -> None:
    out = models("add", "mine", str(tiny), "--template", "ntp-st", "--stop", "\\n\\n", "--stop", "∎")
    assert out.startswith(f"Added mine: {tiny}, template ntp-st\n--- prompt for an example (")
    prompt = get_template("ntp-st").prompt(_ask())
    assert f"({len(prompt.encode())} tokens) ---\n{prompt}\n--- end of the prompt ---\n" in out
    assert r"An answer ends at the model's end token, or at '[/TAC]', '\n\n\n', '---', '\n\n', '∎'." in out
    stored = json.loads((home / "llmstep" / "models.json").read_text("utf-8"))
    assert stored == {
        "models": [
            {
                "name": "mine",
                "model": str(tiny),
                "template": "ntp-st",
                "stops": ["\n\n", "∎"],
                "trustRemoteCode": False,
            }
        ]
    }
    rows = checked("models list", models("--json"))
    assert [row["name"] for row in rows] == [*(each.name for each in CATALOG), "mine"]
    assert (rows[-1]["cached"], rows[-1]["added"], rows[-1]["template"]) == (True, True, "ntp-st")
    assert rows[-1]["size_bytes"] == (tiny / "model.safetensors").stat().st_size
    assert "mine" in models().splitlines()[-1]
    choice = resolve(Settings(model="MINE"))
    assert (choice.source, choice.name) == (str(tiny), "mine")
    assert choice.template.stops == ("[/TAC]", "\n\n\n", "---", "\n\n", "∎")
    assert models("remove", "mine") == f"Removed mine ({tiny}); its files are left alone.\n"
    assert (tiny / "config.json").is_file()
    assert len(json.loads(models("--json"))) == len(CATALOG)
    with pytest.raises(ModelNotFoundError):
        resolve(Settings(model="mine"))


def _ask() -> Any:
    from llmstep.types import Goal, PromptInput

    return PromptInput(Goal(EXAMPLE))


def test_a_dry_run_keeps_nothing(tiny: Path, home: Path, tmp_path: Path) -> None:
    (tmp_path / "goal").write_text("n : ℕ\n⊢ n = n\n", "utf-8")
    options = ("--goal-file", str(tmp_path / "goal"), "--prefix", "exact ", "--dry-run", "--json")
    shown = checked("models add", models("add", "mine", str(tiny), *options))
    prompt = "[GOAL]n : ℕ\n⊢ n = n[PROOFSTEP]exact"  # the template by the architecture
    assert shown == {
        "name": "mine",
        "model": str(tiny),
        "template": "pythia",
        "stops": [],
        "prompts": [prompt],
        "decoder": "",
        "tokens": [len(prompt.encode())],
        "saved": False,
        "replaced": False,
    }
    assert not home.exists()


def test_a_hub_id_that_is_not_here_is_added_without_a_download() -> None:
    shown = checked("models add", models("add", "group", "our-group/step-prover", "--template", "llemma", "--json"))
    assert (shown["tokens"], shown["saved"]) == (None, True)
    first, second = shown["prompts"]
    assert first == get_template("llemma-fewshot").prompt(_ask())
    assert second == "theorem example_1 (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n "
    found = find_record("group")
    assert found is not None
    assert (found.repo_id, found.template) == ("our-group/step-prover", "llemma")
    again = models("add", "Group", "our-group/step-prover-2", "--template", "bfs")
    assert again.startswith("Replaced Group: our-group/step-prover-2, template bfs\n")
    assert "its tokenizer is not on this machine yet" in again
    assert [each.repo_id for each in registry.added_records()] == ["our-group/step-prover-2"]


def test_an_encoder_decoder_model_shows_what_its_decoder_starts_with() -> None:
    out = models("add", "enc", "our-group/byt5-steps", "--template", "byt5-state", "--prefix", "rw [")
    assert f"---\n{EXAMPLE}\n---" in out
    assert "The decoder starts with: 'rw ['\n" in out
    assert "An answer ends at the model's end token.\n" in out


REFUSED = [
    (("add", "starter", "a/b"), "starter is a name of starter in the catalog."),
    (("add", "BFS-Prover", "a/b"), "BFS-Prover is a name of bfs-prover-v2-7b in the catalog."),
    (("add", "auto", "a/b"), "A model cannot be called 'auto'."),
    (("add", "my model", "a/b"), "A model cannot be called 'my model'."),
    (("add", "a/b", "a/b"), "A model cannot be called 'a/b'."),
    (("add", "mine", "/no/such/folder"), "There is no folder /no/such/folder."),
    (("add", "mine", "a/b"), "The prompt template of the model a/b is not known."),
    (("add", "mine", "a/b", "--template", "bsf"), "There is no prompt template 'bsf'."),
    (("add", "mine", "nonsense"), "There is no model 'nonsense' in the catalog."),
    (("add", "mine", "starter"), "The starter has a name already."),
    (("add", "mine", "a/b", "--template", "bfs", "--stop", ""), "A stop is empty."),
    (("add", "mine", "x/Prover-GGUF"), "x/Prover-GGUF is a repository of GGUF files, of which llama.cpp runs one."),
    (
        ("add", "mine", "mlx-community/Prover-4bit"),
        "mlx-community/Prover-4bit holds weights for MLX, which llmstep does not run.",
    ),
    (("remove", "mine"), "There is no model 'mine' of your own."),
    (("remove", "starter"), "There is no model 'starter' of your own."),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_refusals(arguments: tuple[str, ...], message: str, home: Path) -> None:
    with pytest.raises(LlmstepError) as caught:
        models(*arguments)
    assert caught.value.message == message
    assert caught.value.hint
    assert not home.exists()


def test_a_gguf_file_by_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "my-bfs-prover.gguf"
    file.write_bytes(b"GGUF")
    monkeypatch.setattr(launches, "llama_server", lambda: ("llama-server",))
    models("add", "mine", str(file), "--stop", "END")
    choice = choose_gguf(Settings(model="mine"))
    assert (choice.name, choice.path, choice.template.name) == ("mine", file, "bfs")
    assert "END" in choice.template.stops
    assert is_gguf("mine")
    assert [each["cached"] for each in json.loads(models("--json")) if each["name"] == "mine"] == [True]
    models("add", "far", "mradermacher/BFS-Prover-V2-7B-GGUF/BFS-Prover-V2-7B.Q4_K_M.gguf")
    assert choose_gguf(Settings(model="far")).source.startswith("mradermacher/BFS-Prover-V2-7B-GGUF/")


def test_a_gguf_file_without_llama_cpp_is_refused(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "my-bfs-prover.gguf"
    file.write_bytes(b"GGUF")
    monkeypatch.setattr(launches, "llama_server", lambda: ())
    with pytest.raises(RequestError, match=r"llama\.cpp is not installed") as caught:
        models("add", "mine", str(file))
    assert "llmstep[gguf]" in caught.value.hint
    assert not home.exists()


def test_the_file_of_a_known_repository_is_named() -> None:
    with pytest.raises(RequestError) as caught:
        models("add", "mine", "mradermacher/BFS-Prover-V2-7B-GGUF")
    assert "mradermacher/BFS-Prover-V2-7B-GGUF/BFS-Prover-V2-7B.Q4_K_M.gguf" in caught.value.hint


def test_an_adapter_without_its_base_is_refused(tmp_path: Path, home: Path) -> None:
    config = {"peft_type": "LORA", "base_model_name_or_path": str(tmp_path / "gone")}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelNotFoundError, match=r"is a LoRA adapter for .*gone, and there is no such folder"):
        models("add", "mine", str(tmp_path), "--template", "bfs")
    assert not home.exists()


def test_a_template_for_another_kind_of_model_is_refused(tiny: Path) -> None:
    with pytest.raises(LlmstepError, match="byt5-state is for an encoder-decoder model"):
        models("add", "mine", str(tiny), "--template", "byt5-state")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"models": [{}]}', '{"models": [{"name": "a", "model": "b/c"}]}', "\0"]
)
def test_a_file_that_is_broken_is_named(content: str) -> None:
    registry.file().parent.mkdir(parents=True)
    registry.file().write_text(content)
    assert find_record("byt5") is not None  # the catalog goes on working
    with pytest.raises(SettingsError, match=r"models\.json with your models cannot be read") as caught:
        find_record("mine")
    assert caught.value.hint == "Correct or remove it."


def test_permission_to_run_code_is_for_one_model() -> None:
    registry.add(record("careless", trust_remote_code=True))
    registry.add(record("careful"))
    assert resolve(Settings(model="careless")).trust_remote_code
    assert not resolve(Settings(model="careful")).trust_remote_code
    assert resolve(Settings(model="careful", trust_remote_code=True)).trust_remote_code


def test_at_a_server_the_name_brings_template_and_stops() -> None:
    registry.add(record("at-the-server", stops=("∎",)))
    settings = Settings(engine="openai", remote=RemoteSettings(url="http://127.0.0.1:1/v1"))
    template = template_of(settings, "at-the-server")
    assert (template.name, template.stops) == ("bfs", ("∎",))


def test_a_name_that_the_catalog_takes_later_does_not_hide_the_catalog() -> None:
    registry.file().parent.mkdir(parents=True)
    registry.file().write_text(json.dumps({"models": [{"name": "byt5", "model": "a/b", "template": "bfs"}]}))
    found = find_record("byt5")
    assert found is not None
    assert not found.added
    registry.remove("byt5")
    with pytest.raises(RequestError, match="There is no model 'byt5' of your own"):
        registry.remove("byt5")


def test_a_gguf_file_without_a_name_is_shown() -> None:
    shown = checked("models show", models("show", "someone/BFS-Prover-GGUF/q4.gguf", "--json"))
    assert (shown["id"], shown["template"], shown["cached"]) == ("someone/BFS-Prover-GGUF/q4.gguf", "bfs", False)
