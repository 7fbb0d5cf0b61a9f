"""The first second: `initialize` is answered before anything heavy is imported; what the server says it can do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HEAVY = ("torch", "transformers", "httpx", "uvicorn", "starlette", "huggingface_hub", "llmstep.engine.engine")

PROBE = f"""
import sys
from llmstep.lsp import protocol

send = protocol.LlmstepProtocol._send_data

def spy(self, data):
    send(self, data)
    if getattr(data, "id", None) == 1:
        print("loaded:", [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr, flush=True)

protocol.LlmstepProtocol._send_data = spy
sys.argv = ["llmstep", "lsp"]
from llmstep.cli import main
main()
"""


def message(method: str, params: Any, identifier: int | None = None) -> bytes:
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if identifier is not None:
        body["id"] = identifier
    data = json.dumps(body).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(data), data)


def read(stream: Any) -> dict[str, Any]:
    """One message; everything before its end must be of the protocol."""
    length = 0
    while (line := stream.readline()) != b"\r\n":
        assert line.startswith(b"Content-"), line
        if line.startswith(b"Content-Length:"):
            length = int(line.split(b":")[1])
    answer: dict[str, Any] = json.loads(stream.read(length))
    return answer


INITIALIZE = {"processId": None, "rootUri": None, "capabilities": {}}
LEAVE = message("shutdown", None, 2) + message("exit", None)


def test_nothing_heavy_is_imported_before_the_answer_to_initialize() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        input=message("initialize", INITIALIZE, 1) + LEAVE,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "loaded: []" in done.stderr.decode()


def test_initialize_says_what_the_server_can_do(record_property: Callable[[str, object], None]) -> None:
    """The time is reported, not judged: the machine may be busy."""
    started = time.perf_counter()
    server = subprocess.Popen([sys.executable, "-m", "llmstep", "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin
    assert server.stdout
    offered = {"general": {"positionEncodings": ["utf-8", "utf-32"]}}
    with server:
        server.stdin.write(message("initialize", {**INITIALIZE, "capabilities": offered}, 1))
        server.stdin.flush()
        can = read(server.stdout)["result"]["capabilities"]
        seconds = round(time.perf_counter() - started, 2)
        server.stdin.write(LEAVE)
        server.stdin.flush()
        assert read(server.stdout) == {"jsonrpc": "2.0", "id": 2, "result": None}
        assert server.wait(60) == 0
    record_property("process_start_to_initialize_seconds", seconds)
    print(f"\nprocess start to the answer of initialize: {seconds} s")
    assert can["positionEncoding"] == "utf-16"
    assert can["textDocumentSync"]["change"] == 2  # incremental
    assert can["textDocumentSync"]["openClose"] is True
    assert can["codeActionProvider"] == {"codeActionKinds": ["quickfix"], "resolveProvider": False}
    assert can["inlayHintProvider"]
    assert set(can["executeCommandProvider"]["commands"]) >= {
        "llmstep.suggest",
        "llmstep.status",
        "llmstep.models",
        "llmstep.selectModel",
        "llmstep.stop",
        "llmstep.buildImports",
        "llmstep.restartLean",
    }


def test_a_request_before_initialize_is_refused_and_the_server_goes_on() -> None:
    first = message(
        "textDocument/hover", {"textDocument": {"uri": "file:///a"}, "position": {"line": 0, "character": 0}}, 7
    )
    done = subprocess.run(
        [sys.executable, "-m", "llmstep", "lsp"],
        input=first + message("initialize", INITIALIZE, 1) + LEAVE,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert b'"code": -32002' in done.stdout
    assert b'"capabilities"' in done.stdout


def test_a_malformed_request_gets_an_error_and_the_server_goes_on() -> None:
    wrong = message("textDocument/inlayHint", {"textDocument": {"uri": "file:///a"}}, 7)
    done = subprocess.run(
        [sys.executable, "-m", "llmstep", "lsp"],
        input=message("initialize", INITIALIZE, 1) + wrong + LEAVE,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert re.search(rb'"id": 7.*"code": -32602|"code": -32602.*"id": 7', done.stdout)


def test_leaving_without_shutdown_is_an_error_of_the_client() -> None:
    for farewell in (message("exit", None), b""):
        done = subprocess.run(
            [sys.executable, "-m", "llmstep", "lsp"],
            input=message("initialize", INITIALIZE, 1) + farewell,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
