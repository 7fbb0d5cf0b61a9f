"""As much of huggingface.co as a download of a model needs, on loopback."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Hub:
    """As much of huggingface.co as a download of a model needs, on loopback.

    Attributes:
        repos: Files by name, by repository.
        requests: `METHOD /path` of every request so far.
        declared: Sizes to claim for files instead of their own.
        refused: Status and headers to answer with for paths that contain a text.
        dies_after: Number of bytes of a file after which the connection breaks and the hub is gone.
        stalls_after: Number of bytes of a file after which nothing comes until `go_on` is set.
        changed: Bytes that come for files instead of their own.
        elsewhere: Another hub that large files are sent from.
        answers: Whole answers, head and body, for paths that contain a text.
        keys: The `Authorization` headers that came.
    """

    COMMIT = "c" * 40

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.requests: list[str] = []
        self.declared: dict[str, int] = {}
        self.refused: dict[str, tuple[int, dict[str, str]]] = {}
        self.changed: dict[str, bytes] = {}
        self.elsewhere: Hub | None = None
        self.answers: dict[str, Callable[[Any], None]] = {}
        self.keys: list[str] = []
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
        hub.keys.append(self.headers.get("Authorization", ""))
        for part, answer in hub.answers.items():
            if part in path:
                self.close_connection = True
                return answer(self.wfile)
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
        siblings: list[dict[str, Any]] = [{"rfilename": name, "size": size} for name, size in sizes.items()]
        for each in siblings:
            data = self.hub.repos[repo][each["rfilename"]]
            each["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            if _is_large(each["rfilename"]):
                digest = hashlib.sha256(data).hexdigest()
                each["lfs"] = {"size": each["size"], "sha256": digest, "pointerSize": 134}
        return {"_id": "1", "id": repo, "sha": Hub.COMMIT, "private": False, "siblings": siblings, "tags": []}

    def _tree(self, repo: str) -> Any:
        files = self.hub.repos[repo].items()
        return [{"type": "file", "path": name, "size": len(data), "oid": _etag(name, data)} for name, data in files]

    def _json(self, value: Any) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _file(self, data: bytes, name: str) -> None:
        headers = {"X-Repo-Commit": Hub.COMMIT, "ETag": f'"{_etag(name, data)}"'}
        hub = self.hub
        if hub.elsewhere is not None and _is_large(name):
            linked = {"X-Linked-ETag": headers["ETag"], "X-Linked-Size": str(len(data))}
            place = f"{hub.elsewhere.url}{self.path.partition('?')[0]}"
            self._answer(302, b"", {**headers, **linked, "Location": place})
            return
        data = hub.changed.get(name, data)
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
                    hub.go_on.wait(60)
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


def _is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin"))


def _etag(name: str, data: bytes) -> str:
    """As the hub has them: git's for small files, SHA-256 for large ones."""
    if _is_large(name):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
