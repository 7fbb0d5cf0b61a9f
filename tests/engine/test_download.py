"""Downloads from a hub of our own, by the same code and the same client that talk to huggingface.co."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import constants

from llmstep.cancel import CancelToken
from llmstep.catalog.files import measure
from llmstep.catalog.store import cached_folder
from llmstep.errors import CancelledError, DownloadError, ModelLoadError, ModelNotFoundError
from llmstep.hub import client as hub_errors
from llmstep.hub import download
from llmstep.hub.download import fetch
from llmstep.progress import format_bytes

if TYPE_CHECKING:
    from llmstep.progress import Progress

WANTED = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("llmstep-download")]


def test_a_download_brings_what_is_needed_and_reports(hub: Any, tiny_models: dict[str, Path]) -> None:
    reports: list[Progress] = []
    folder = fetch("tiny/neox", progress=reports.append)
    assert {path.name for path in folder.iterdir()} == WANTED
    for name in WANTED:
        assert (folder / name).read_bytes() == (tiny_models["neox"] / name).read_bytes()
    assert {request.rpartition("/")[2] for request in hub.requests if request.startswith("GET /tiny")} == WANTED
    total = sum((folder / name).stat().st_size for name in WANTED)
    assert {report.stage for report in reports} == {"download"}
    assert (reports[-1].done, reports[-1].total, reports[-1].percent) == (total, total, 100)
    assert reports[-1].message == f"Downloading tiny/neox ({format_bytes(total)})"
    steps = [report.done for report in reports if report.total]
    assert steps == sorted(steps)
    assert any(0 < step < total for step in steps)


def test_once_cached_no_request_is_made(hub: Any) -> None:
    assert cached_folder("tiny/neox") is None
    folder = fetch("tiny/neox")
    hub.requests.clear()
    assert (
        fetch("tiny/neox", progress=lambda _: pytest.fail("nothing to report")) == folder == cached_folder("tiny/neox")
    )
    hub.stop()
    assert fetch("tiny/neox") == folder
    assert hub.requests == []


def test_only_what_is_missing_is_downloaded(hub: Any) -> None:
    folder = fetch("tiny/neox")
    weights = folder / "model.safetensors"
    size = weights.stat().st_size
    os.remove(weights.resolve())
    os.remove(weights)
    hub.requests.clear()
    reports: list[Progress] = []
    assert fetch("tiny/neox", progress=reports.append) == folder
    assert measure(folder)[1] == size
    assert reports[-1].total == size
    assert [request for request in hub.requests if request.startswith("GET /tiny")] == [
        f"GET /tiny/neox/resolve/{hub.COMMIT}/model.safetensors"
    ]


def test_python_files_come_only_when_the_model_may_run_them(hub: Any) -> None:
    folder = fetch("tiny/neox", code=True)
    assert {path.name for path in folder.iterdir()} == WANTED | {"code.py"}


def test_python_files_are_fetched_later_when_they_are_allowed_later(hub: Any) -> None:
    hub.repos["tiny/neox"]["config.json"] = b'{"model_type": "own", "auto_map": {"AutoConfig": "code.Own"}}'
    folder = fetch("tiny/neox")
    assert not list(folder.glob("*.py"))
    assert fetch("tiny/neox", code=True) == folder
    assert [path.name for path in folder.glob("*.py")] == ["code.py"]
    hub.requests.clear()
    assert fetch("tiny/neox", code=True) == folder
    assert hub.requests == []


def test_a_look_before_the_weights_are_downloaded(hub: Any, tiny_models: dict[str, Path]) -> None:
    seen: list[tuple[set[str], int]] = []

    def check(folder: Path, size: int) -> None:
        seen.append(({path.name for path in folder.iterdir()}, size))
        raise ModelLoadError("No.", hint="Never.")

    with pytest.raises(ModelLoadError) as caught:
        fetch("tiny/neox", check=check)
    assert (caught.value.message, caught.value.hint) == ("No.", "Never.")
    assert caught.value.__cause__ is None
    assert seen == [(WANTED - {"model.safetensors"}, (tiny_models["neox"] / "model.safetensors").stat().st_size)]
    assert not [request for request in hub.requests if request.endswith("model.safetensors")]


def test_a_hub_that_dies_on_the_way_and_comes_back(hub: Any) -> None:
    hub.dies_after = 60_000
    reports: list[Progress] = []
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/neox", progress=reports.append)
    assert (
        caught.value.message == f"The download of tiny/neox failed: {hub.url} cannot be reached or stopped answering."
    )
    assert "HF_ENDPOINT" in caught.value.hint
    assert caught.value.retryable
    assert any(0 < report.done < report.total for report in reports)
    assert cached_folder("tiny/neox") is None
    assert not threads()
    hub.dies_after = None
    hub.start()
    folder = fetch("tiny/neox")
    assert measure(folder)[0]


def test_no_network_at_all(hub: Any) -> None:
    hub.stop()
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/neox")
    assert (
        caught.value.message == f"The download of tiny/neox failed: {hub.url} cannot be reached or stopped answering."
    )
    assert "Check the network" in caught.value.hint


def test_a_hub_that_goes_away_after_the_first_answer(hub: Any) -> None:
    hub.refused["/tree/"] = (502, {})
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/neox")
    assert caught.value.message == "The hub answered the request for tiny/neox with status 502."


def test_cancelling_does_not_wait_for_the_hub(hub: Any) -> None:
    hub.stalls_after = 60_000
    reports: list[Progress] = []
    cancel = CancelToken()
    threading.Thread(target=lambda: hub.stalled.wait(60) and cancel.request()).start()
    with pytest.raises(CancelledError) as caught:
        fetch("tiny/neox", progress=reports.append, cancel=cancel)
    assert caught.value.message == "The download of tiny/neox was cancelled."
    count = len(reports)
    hub.go_on.set()
    for thread in threads():
        thread.join(60)
    assert not threads()
    assert len(reports) == count  # nobody is told of what goes on behind
    assert cached_folder("tiny/neox") is None
    hub.stalls_after = None
    assert fetch("tiny/neox") == cached_folder("tiny/neox")


def test_a_hub_that_stops_answering(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "STALL_SECONDS", 0.5)
    hub.stalls_after = 60_000
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/neox")
    assert "stopped answering" in caught.value.message
    hub.go_on.set()
    for thread in threads():
        thread.join(60)


def test_no_such_model(hub: Any) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        fetch("tiny/nothing")
    assert caught.value.message == f"There is no model tiny/nothing on {hub.url}, or it is private."
    assert "Check the spelling" in caught.value.hint
    assert not caught.value.retryable


def test_unauthorised_is_no_such_model(hub: Any) -> None:
    """The hub answers 401 for models that do not exist and for private ones alike."""
    hub.refused["/api/models/tiny/secret"] = (401, {})
    with pytest.raises(ModelNotFoundError) as caught:
        fetch("tiny/secret")
    assert "hf auth login" in caught.value.hint


def test_a_wrong_token(hub: Any) -> None:
    hub.refused["/api/"] = (401, {"X-Error-Message": "Invalid credentials in Authorization header"})
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/neox")
    assert caught.value.message == "The hub refused to give out the model tiny/neox (status 401)."
    assert "HF_TOKEN" in caught.value.hint
    assert not caught.value.retryable


def test_a_gated_model(hub: Any) -> None:
    """Its file list is public, its files are not."""
    hub.refused["/resolve/"] = (403, {"X-Error-Code": "GatedRepo"})
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/neox")
    assert caught.value.message == "The model tiny/neox is gated: its authors give access on request."
    assert caught.value.hint.startswith(f"Ask for access at {hub.url}/tiny/neox, then log in")
    assert not caught.value.retryable


def test_a_model_that_does_not_fit_on_the_disk(hub: Any) -> None:
    hub.declared["model.safetensors"] = 10**18
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/neox")
    assert caught.value.message.startswith("The disk is too full for the model tiny/neox (1000000.0 TB needed, ")
    assert "HF_HOME" in caught.value.hint
    assert not [request for request in hub.requests if "resolve" in request]


def test_a_disk_that_fills_up_on_the_way(hub: Any) -> None:
    error = hub_errors.translate(OSError(errno.ENOSPC, "No space left on device"), "tiny/neox")
    assert isinstance(error, DownloadError)
    assert error.message == "The disk is too full for the model tiny/neox."


def test_a_cache_that_cannot_be_written(hub: Any) -> None:
    error = hub_errors.translate(PermissionError(errno.EACCES, "Permission denied"), "tiny/neox")
    assert error.message.startswith("The model tiny/neox cannot be stored: the folder ")
    assert "HF_HOME" in error.hint


def test_an_error_nobody_thought_of(hub: Any) -> None:
    error = hub_errors.translate(KeyError("surprise"), "tiny/neox")
    assert error.message == "The download of tiny/neox failed: KeyError: 'surprise'."
    assert error.hint


def test_a_repository_without_weights(hub: Any) -> None:
    hub.repos["tiny/gguf"] = {"config.json": b"{}", "model.gguf": b"x", "README.md": b"x"}
    with pytest.raises(ModelLoadError) as caught:
        fetch("tiny/gguf")
    assert caught.value.message == "The repository tiny/gguf holds no weights that transformers reads."
    assert "GGUF" in caught.value.hint


def test_offline_mode(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch("tiny/neox")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch("tiny/neox") == folder
    hub.requests.clear()
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/other")
    assert caught.value.message == (
        "The model tiny/other is not on this machine, and downloads are switched off by HF_HUB_OFFLINE."
    )
    assert "Unset HF_HUB_OFFLINE" in caught.value.hint
    assert not caught.value.retryable
    assert hub.requests == []


def test_the_environment_is_honoured(hub: Any, tmp_path: Path) -> None:
    """As a user sets it: before the process starts."""
    program = (
        "import sys\n"
        "from llmstep.hub.download import fetch\n"
        "print(fetch('tiny/neox'))\n"
        "assert 'torch' not in sys.modules"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert folder.is_relative_to(tmp_path / "home" / "hub")
    assert {path.name for path in folder.iterdir()} == WANTED


def test_folders_are_taken_as_they_are(tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch(str(tiny_models["neox"])) == tiny_models["neox"]
    monkeypatch.chdir(tiny_models["neox"].parent)
    assert fetch("./neox").resolve() == tiny_models["neox"].resolve()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        fetch(str(tmp_path / "nothing"))
    assert caught.value.message == f"There is no folder {tmp_path / 'nothing'}."
    assert "owner/name" in caught.value.hint


@pytest.mark.parametrize("name", ["a b", "a/b/c", "-x/y", "x/y--z"])
def test_what_is_no_id(hub: Any, name: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        fetch(name)
    assert caught.value.message == f"{name!r} is no model id."
    assert "owner/name" in caught.value.hint
