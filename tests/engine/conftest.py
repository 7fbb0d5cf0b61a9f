"""Tiny random models of each architecture, and a hub of our own that serves them.

Heavy imports stand inside the fixtures, so that tests without a model do not pay for them.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tiny_models import byt5_config, byte_level_tokenizer, llama, neox, saved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmstep.engine.loaded import LoadedModel

sys.path.insert(0, str(Path(__file__).parent))

CORPUS = ["intro h", "exact h", "rw [add_comm]", "simp only [Nat.add_zero]", "[GOAL]⊢ p → q[PROOFSTEP]", "∀ x, p x ∧ q"]
END = "<|endoftext|>"


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of `neox`, `llama` and `byt5`: two layers, hidden size 32, random weights."""
    import torch
    import transformers
    from transformers import T5ForConditionalGeneration

    torch.set_num_threads(1)  # more only wait for each other with models this small
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(20)
    root = tmp_path_factory.mktemp("models")
    tokenizer = byte_level_tokenizer(CORPUS * 10, 340, [END], eos_token=END, bos_token=END, pad_token=END)
    of_tokenizer = {"vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": 0}
    sizes = {"intermediate_size": 64, "max_position_embeddings": 256}
    t5 = byt5_config(d_model=32, d_ff=64, num_layers=2, num_heads=2)
    made = {
        "neox": (neox(**of_tokenizer, **sizes), tokenizer),
        "llama": (llama(**of_tokenizer, **sizes), tokenizer),
        "byt5": (T5ForConditionalGeneration(t5), None),
    }
    return {name: saved(model, root / name, words) for name, (model, words) in made.items()}


@pytest.fixture(scope="session")
def loaded_models(tiny_models: dict[str, Path]) -> dict[str, LoadedModel]:
    """The tiny models in memory, by the code that loads all models."""
    from llmstep.engine.device import Placement
    from llmstep.engine.loader import load
    from llmstep.engine.plan import inspect

    placement = Placement("cpu", "float32")
    return {name: load(inspect(folder, name=name, placement=placement)) for name, folder in tiny_models.items()}


@pytest.fixture(scope="session")
def own_models(tiny_models: dict[str, Path]) -> dict[str, LoadedModel]:
    """The tiny models as the engine loads them on a CPU."""
    import attrs

    from llmstep.engine import own_decoder
    from llmstep.settings import Settings

    settings = attrs.evolve(Settings(), dtype="float32")
    found = {}
    for name, folder in tiny_models.items():
        plan = own_decoder.inspect(folder, name=name, settings=settings)
        assert plan is not None
        found[name] = own_decoder.load(plan)
    return found


@pytest.fixture
def copy_of(tiny_models: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a tiny model that a test may damage."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(tiny_models[name], tmp_path / f"{name}-copy"))

    return copy


class Hub:
    """As much of huggingface.co as a download of a model needs, on loopback.

    Attributes:
        repos: Files by name, by repository.
        requests: `METHOD /path` of every request so far.
        declared: Sizes to claim for files instead of their own.
        refused: Status and headers to answer with for paths that contain a text.
        dies_after: Number of bytes of a file after which the connection breaks and the hub is gone.
        stalls_after: Number of bytes of a file after which nothing comes until `go_on` is set.
    """

    COMMIT = "c" * 40

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.requests: list[str] = []
        self.declared: dict[str, int] = {}
        self.refused: dict[str, tuple[int, dict[str, str]]] = {}
        self.dies_after: int | None = None
        self.stalls_after: int | None = None
        self.go_on = threading.Event()
        self.stalled = threading.Event()
        self.port = 0
        self._server: _HubServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Be there; at the same port as before."""
        hub = self

        class Handler(_HubHandler):
            pass

        Handler.hub = hub
        self._server = _HubServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Be gone: connections are refused."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


class _HubServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is what some tests are about."""


class _HubHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.hub
        path = self.path.partition("?")[0]
        hub.requests.append(f"{self.command} {path}")
        for part, (status, headers) in hub.refused.items():
            if part in path:
                return self._answer(status, b"{}", headers)
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            repo, rest = "/".join(parts[2:4]), parts[4:]
            if repo not in hub.repos:
                return self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return self._json(self._tree(repo) if rest[:1] == ["tree"] else self._info(repo))
        if "resolve" in parts:
            repo, name = "/".join(parts[:2]), "/".join(parts[4:])
            return self._file(hub.repos[repo][name], name)
        return self._answer(404, b"{}", {})

    def _info(self, repo: str) -> Any:
        sizes = {name: self.hub.declared.get(name, len(data)) for name, data in self.hub.repos[repo].items()}
        siblings = [{"rfilename": name, "size": size} for name, size in sizes.items()]
        return {"_id": "1", "id": repo, "sha": Hub.COMMIT, "private": False, "siblings": siblings, "tags": []}

    def _tree(self, repo: str) -> Any:
        files = self.hub.repos[repo].items()
        return [{"type": "file", "path": name, "size": len(data), "oid": _etag(data)} for name, data in files]

    def _json(self, value: Any) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _file(self, data: bytes, name: str) -> None:
        headers = {"X-Repo-Commit": Hub.COMMIT, "ETag": f'"{_etag(data)}"'}
        hub = self.hub
        if self.command == "GET" and name.endswith(".safetensors"):
            for limit in (hub.dies_after, hub.stalls_after):
                if limit is not None:
                    self._head(200, {**headers, "Content-Length": str(len(data))})
                    self.wfile.write(data[:limit])
                    self.wfile.flush()
                    if limit == hub.dies_after:
                        threading.Thread(target=hub.stop, daemon=True).start()
                        self.close_connection = True
                        return
                    hub.stalled.set()
                    hub.go_on.wait(30)
                    try:
                        self.wfile.write(data[limit:])
                    except OSError:
                        self.close_connection = True
                    return
        self._answer(200, data, headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._head(status, {**headers, "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()


def _etag(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@pytest.fixture
def hub(tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with `tiny/neox`, beside whose files lie many that nobody needs, and an empty cache."""
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import _http

    hub = Hub()
    files = {path.name: path.read_bytes() for path in tiny_models["neox"].iterdir()}
    useless = ("README.md", "pytorch_model.bin", "onnx/model.onnx", "tf_model.h5", "training_args.bin", "code.py")
    hub.repos["tiny/neox"] = {**files, **dict.fromkeys(useless, b"useless")}
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 16_384)
    for module in (file_download, _http):  # the client waits for seconds before each of its five retries
        monkeypatch.setattr(module, "time", _NoSleep())
    yield hub
    hub.go_on.set()
    hub.stop()


class _NoSleep:
    def __getattr__(self, name: str) -> Any:
        import time

        return (lambda _: None) if name == "sleep" else getattr(time, name)
