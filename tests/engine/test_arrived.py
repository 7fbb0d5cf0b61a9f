"""What the hub says of files is compared with what came, and what the hub says is read within bounds."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from fake_hub import Hub
from huggingface_hub import constants

from llmstep.catalog.store import cached_folder
from llmstep.errors import DownloadError, ModelLoadError
from llmstep.hub import arrived
from llmstep.hub.download import fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WEIGHTS = "model.safetensors"
SIZES = (b"1e400", b'"x"', b"-1", b"[]")


def other(data: bytes) -> bytes:
    """Bytes of the same length, with one changed in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def test_bytes_that_were_changed_on_the_way_are_refused_and_fetched_anew(hub: Any) -> None:
    hub.changed[WEIGHTS] = other(hub.repos["tiny/neox"][WEIGHTS])
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/neox")
    assert caught.value.message.startswith(f"The file {WEIGHTS} of tiny/neox is not what the hub says: its SHA-256 is ")
    assert caught.value.hint.startswith("Ask again to download it anew; if it happens again, a mirror (HF_ENDPOINT)")
    assert cached_folder("tiny/neox") is None
    hub.changed.clear()
    folder = fetch("tiny/neox")
    assert (folder / WEIGHTS).read_bytes() == hub.repos["tiny/neox"][WEIGHTS]


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_another_size_than_the_hub_says(hub: Any, name: str) -> None:
    size = len(hub.repos["tiny/neox"][name])
    hub.declared[name] = size + 3
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/neox")
    assert f"The file {name} of tiny/neox is not what the hub says: it has {size} bytes" in caught.value.message
    assert cached_folder("tiny/neox") is None


def test_the_first_load_looks_at_what_others_downloaded(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch("tiny/neox")
    blob = (folder / WEIGHTS).resolve()
    good = blob.read_bytes()
    blob.write_bytes(other(good))
    os.utime(blob, ns=(1, 1))
    hub.stop()
    with pytest.raises(ModelLoadError) as caught:
        fetch("tiny/neox")
    assert caught.value.message.startswith(
        f"The model file {folder / WEIGHTS} differs from what the hub has: its SHA-256 is "
    )
    assert caught.value.hint.startswith("Delete the folder ")
    blob.write_bytes(good)
    assert fetch("tiny/neox") == folder
    monkeypatch.setattr(arrived, "sha256_of", lambda *_: pytest.fail("it is read once"))
    assert fetch("tiny/neox") == folder


def test_a_memory_that_cannot_be_written_only_costs_another_look(hub: Any, tmp_path: Path) -> None:
    (tmp_path / "user-cache").write_text("a file in the place of the folder")
    folder = fetch("tiny/neox")
    assert fetch("tiny/neox") == folder


@pytest.mark.parametrize("honest", [True, False])
def test_a_redirection_to_another_host_gets_no_token_and_no_trust(
    hub: Any, honest: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef")
    hub.elsewhere = Hub()
    hub.elsewhere.repos = dict(hub.repos)
    if not honest:
        hub.elsewhere.changed[WEIGHTS] = other(hub.repos["tiny/neox"][WEIGHTS])
    try:
        if honest:
            assert fetch("tiny/neox") == cached_folder("tiny/neox")
        else:
            with pytest.raises(DownloadError, match="is not what the hub says"):
                fetch("tiny/neox")
        assert any(hub.keys)
        assert [request for request in hub.elsewhere.requests if request.startswith("GET ")]
        assert set(hub.elsewhere.keys) == {""}
    finally:
        hub.elsewhere.stop()


def endless(file: Any) -> None:
    """A gigabyte where a list of files is asked for."""
    file.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        file.write(b" " * 1048576)


def bomb(file: Any) -> None:
    """A gigabyte again, in one megabyte."""
    packed = gzip.compress(b" " * (1 << 30), 6)
    head = f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    file.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head.encode() + packed)


PROGRAM = """
import resource
from llmstep.hub.download import fetch
from llmstep.catalog.store import cached_folder
from llmstep.errors import LlmstepError
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
try:
    fetch("tiny/neox")
except LlmstepError as error:
    print(type(error).__name__, error.message)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no resource module")
@pytest.mark.parametrize("answer", [endless, bomb])
@pytest.mark.parametrize("path", ["/api/models/tiny/neox", "/tree/"])
def test_endless_answers_of_the_hub_cost_little_memory(
    hub: Any, tmp_path: Path, answer: Callable[[Any], None], path: str
) -> None:
    hub.answers[path] = answer
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    said, grown = done.stdout.splitlines()
    assert said.startswith("DownloadError The answer of 127.0.0.1 is too long, or cannot be read.")
    assert int(grown) < 300, f"{grown} MB"


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[]", b"[" * 100_000, b"NaN", b"\xff", b'{"siblings": ' + b"9" * 5000 + b"}"),
        *(b'{"id": "a", "siblings": [{"rfilename": "model.safetensors", "size": %s}]}' % each for each in SIZES),
        b'{"id": "a", "siblings": [{"rfilename": "../../x.model", "size": 1}]}',
    ],
)
def test_answers_of_the_hub_that_are_none_are_one_sentence(hub: Any, body: bytes) -> None:
    def answer(file: Any) -> None:
        file.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )

    hub.answers["/api/models/tiny/neox"] = answer
    with pytest.raises(DownloadError) as caught:
        fetch("tiny/neox")
    assert (
        caught.value.message
        == f"The answer of the hub {constants.ENDPOINT} to the request for tiny/neox cannot be read."
    )
    assert caught.value.hint
