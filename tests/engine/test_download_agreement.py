"""Nothing large is downloaded unasked: sizes first, `--yes`, `models download` and `remove`, progress in lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from output_schema import checked
from rich.console import Console
from typer.testing import CliRunner

from llmstep.cancel import NEVER
from llmstep.catalog.models import CATALOG
from llmstep.catalog.recommended import Hardware, fits, recommended
from llmstep.catalog.registry import find_record
from llmstep.catalog.resolve import ModelChoice
from llmstep.catalog.store import cached_folder, is_cached, missing
from llmstep.catalog.templates import get_template
from llmstep.cli import app, downloads, progress
from llmstep.engine.prepare import prepare
from llmstep.errors import DownloadError, ModelError, ModelNotFoundError, RequestError
from llmstep.hub.download import download_bytes, fetch_with_base
from llmstep.progress import Progress, format_bytes, silent
from llmstep.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

GOAL = "p q : Prop\nhp : p\n⊢ p ∨ q"
SUGGEST = ("suggest", "--goal-file", "-", "--model", "tiny/neox", "--template", "pythia", "--device", "cpu", "-n", "1")


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every download is large."""
    monkeypatch.setattr(downloads, "LARGE", 1)


def total(tiny_models: dict[str, Path]) -> int:
    names = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    return sum((tiny_models["neox"] / name).stat().st_size for name in names)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments], input=GOAL)


def gets(hub: Any) -> list[str]:
    return [request for request in hub.requests if request.startswith("GET /tiny")]


@pytest.mark.usefixtures("large")
def test_without_anybody_to_ask_it_is_refused_with_the_size(hub: Any, tiny_models: dict[str, Path]) -> None:
    ended = run(*SUGGEST)
    assert isinstance(ended.exception, RequestError)
    size = format_bytes(total(tiny_models))
    assert ended.exception.message == (f"The model tiny/neox is not on this machine; {size} would come from {hub.url}.")
    assert ended.exception.hint == "Agree with --yes, or run `llmstep models download tiny/neox --yes` first."
    assert gets(hub) == []
    ended = run(*SUGGEST, "--yes", "--json")
    assert ended.exit_code in (0, 1)
    assert checked("suggest", ended.stdout)["model"] == "tiny/neox"
    hub.requests.clear()
    assert run(*SUGGEST).exit_code in (0, 1), "what is here needs no agreement"
    assert hub.requests == []


@pytest.mark.usefixtures("large")
def test_in_a_terminal_one_is_asked(
    hub: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def confirm(answer: bool) -> Any:
        return lambda text, **_: asked.append(text) or answer

    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", confirm(True))
    downloads.ask("tiny/neox", download_bytes("tiny/neox"))
    monkeypatch.setattr("typer.confirm", confirm(False))
    with pytest.raises(DownloadError, match="The model tiny/neox was not downloaded"):
        downloads.ask("tiny/neox", download_bytes("tiny/neox"))
    assert asked == ["Download it?"] * 2
    assert "is not on this machine; " in capsys.readouterr().err
    assert gets(hub) == []


def test_small_ones_are_not_asked_about(hub: Any) -> None:
    assert run(*SUGGEST).exit_code in (0, 1)
    assert cached_folder("tiny/neox") is not None


def test_the_base_of_an_adapter_counts(hub: Any, tiny_models: dict[str, Path]) -> None:
    adapter = json.dumps({"base_model_name_or_path": "tiny/neox"}).encode()
    hub.repos["tiny/adapter"] = {"adapter_config.json": adapter, "adapter_model.safetensors": b"x" * 1000}
    assert download_bytes("tiny/adapter") == total(tiny_models) + 1000 + len(adapter)


def test_an_adapter_of_itself_is_no_endless_way(hub: Any) -> None:
    adapter = json.dumps({"base_model_name_or_path": "tiny/ring"}).encode()
    hub.repos["tiny/ring"] = {"adapter_config.json": adapter, "adapter_model.safetensors": b"x" * 1000}
    assert download_bytes("tiny/ring") <= 2000 + len(adapter)
    assert not is_cached("tiny/ring")
    folder = fetch_with_base("tiny/ring")
    assert (is_cached("tiny/ring"), missing("tiny/ring")) == (True, "")
    with pytest.raises(ModelError, match=f"The folder {folder} holds no model"):
        prepare(Settings(), ModelChoice("tiny/ring", get_template("pythia")), None, silent, NEVER)


def test_the_decoder_is_compiled_behind_the_download(
    hub: Any, tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, with progress, for models that compiled code runs; not for one that numpy runs."""
    from llmstep.decoder.compiled import ready

    def compiled(tell: Any) -> None:
        tell("Compiling the decoder for this processor, once", 0.25)

    monkeypatch.setattr(ready, "ready", compiled)
    hub.repos["tiny/llama"] = {path.name: path.read_bytes() for path in tiny_models["llama"].iterdir()}
    ended = run("models", "download", "tiny/llama", "--yes")
    assert ended.exit_code == 0, ended.output
    assert "Compiling the decoder for this processor, once" in ended.stderr
    assert "Compiling" not in run("models", "download", "tiny/neox", "--yes").stderr


def test_download_show_and_remove(hub: Any, tiny_models: dict[str, Path]) -> None:
    hub.repos["tiny/neox"]["llmstep.json"] = b'{"template": "pythia"}'
    ended = run("models", "download", "tiny/neox", "--json")
    found = checked("models download", ended.stdout)
    assert (found["model"], found["folder"]) == ("tiny/neox", str(cached_folder("tiny/neox")))
    assert found["bytes"] == total(tiny_models) + len(b'{"template": "pythia"}')
    lines = ended.stderr.splitlines()
    assert lines[0] == f"tiny/neox: {format_bytes(found['bytes'])} to download"
    assert any(f" of {format_bytes(found['bytes'])}" in line and line.startswith("Downloading ") for line in lines[1:])
    again = run("models", "download", "tiny/neox")
    assert again.stdout == f"tiny/neox is on this machine already: {found['folder']}\n"
    shown = checked("models show", run("models", "show", "tiny/neox", "--json").stdout)
    assert (shown["id"], shown["cached"], shown["template"]) == ("tiny/neox", True, "pythia")
    assert shown["folder"] == found["folder"]
    refused = run("models", "remove", "tiny/neox")
    assert isinstance(refused.exception, RequestError)
    assert cached_folder("tiny/neox") is not None
    assert run("models", "remove", "tiny/neox", "--yes").stdout.startswith("Removed the files of tiny/neox; ")
    assert cached_folder("tiny/neox") is None
    assert isinstance(run("models", "remove", "tiny/neox", "--yes").exception, ModelNotFoundError)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("download", "startr"), "There is no model 'startr' in the catalog."),
        (("download", "tiny/none"), "There is no model tiny/none on "),
        (("download", "."), ". is a folder of this machine."),
        (("remove", "starter"), "There is no model 'starter' of your own."),
        (("remove", "nothing"), "There is no model 'nothing' of your own."),
        (("show", "startr"), "There is no model 'startr' in the catalog."),
    ],
)
def test_what_cannot_be_done(hub: Any, words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ended = run("models", *words)
    assert str(ended.exception).startswith(said), ended.exception


def test_the_starter_is_here() -> None:
    assert "starter is on this machine already: " in run("models", "download", "starter").stdout
    shown = checked("models show", run("models", "show", "starter", "--json").stdout)
    assert (shown["fits"], shown["cached"], shown["id"]) == (True, True, None)


@pytest.mark.parametrize(
    ("hardware", "name"),
    [
        (Hardware("cpu", 8_000_000_000), "byt5-small"),
        (Hardware("cpu", 100_000_000), "starter"),
        (Hardware("cuda", 24_000_000_000), "bfs-prover-v2-7b"),
        (Hardware("cuda", 6_000_000_000), "ntp-context-1.3b"),
    ],
)
def test_what_is_recommended(hardware: Hardware, name: str) -> None:
    found = recommended(hardware).record
    assert found.name == name
    assert fits(found, hardware)
    assert found in CATALOG
    large = find_record("bfs-prover-v2-32b")
    assert large is not None
    assert fits(large, hardware) is False


def test_lines_tell_bytes_and_speed() -> None:
    now = 0.0
    console = Console(record=True, width=200, force_terminal=False)
    with progress.shown_progress(console, lambda: now) as show:
        show(Progress("download", "Downloading m"))
        for seconds in range(13):
            now = float(seconds)
            show(Progress("download", "Downloading m (1.2 GB)", seconds * 100_000_000, 1_200_000_000))
        show(Progress("download", "Downloading m (1.2 GB)", 1_200_000_000, 1_200_000_000))
        show(Progress("load", "Loading m"))
        show(Progress("load", "Loading m", 1, 2))
    assert console.export_text().splitlines() == [
        "Downloading m ...",
        "Downloading m (1.2 GB): 0 B of 1.2 GB",
        "Downloading m (1.2 GB): 500 MB of 1.2 GB, 100 MB/s",
        "Downloading m (1.2 GB): 1.0 GB of 1.2 GB, 100 MB/s",
        "Downloading m (1.2 GB): 1.2 GB of 1.2 GB, 100 MB/s",
        "Loading m ...",
    ]
