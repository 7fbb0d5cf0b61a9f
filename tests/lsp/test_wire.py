"""What a client may send that is no good message: each request is answered, and the next message is read."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from test_startup import message, read

from llmstep.lsp.framing import MAX_BYTES, Fault, identity, read_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = {"jsonrpc": "2.0", "id": 1, "method": "m"}
BODY = json.dumps(GOOD).encode()
FRAME = b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
DEEP = b'{"jsonrpc":"2.0","id":"d","method":"m","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
DIGITS = b'{"jsonrpc":"2.0","id":7,"method":"m","params":{"n":' + b"9" * 5000 + b"}}"


def framed(body: bytes, length: int | None = None) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body) if length is None else length, body)


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (FRAME * 3, [GOOD] * 3),
        (b"content-length:" + FRAME[15:], [GOOD]),
        (b"Content-Type: x\r\n" + FRAME, [GOOD]),
        (FRAME.replace(b"\r\n", b"\n", 2), [GOOD]),
        (framed(BODY, len(BODY) - 1) + FRAME, [-32700, GOOD]),  # too short: what is left stands before the next header
        (framed(BODY, len(BODY) + len(FRAME)) + FRAME, [GOOD, GOOD]),  # too long: the next message is in it
        (framed(BODY, len(BODY) + 20) + FRAME + FRAME, [GOOD, GOOD, GOOD]),
        (framed(BODY, len(BODY) + 20) * 2_000 + FRAME + FRAME, [GOOD] * 2_002),
        (framed(BODY, 3) + b"x" * (8187 - len(BODY)) + FRAME, [-32700, GOOD]),  # the header is read in two pieces
        (framed(BODY + b" x"), [-32700]),
        (b"Content-Length: 0\r\n\r\n" + FRAME, [-32600, GOOD]),
        (b"Content-Length: -5\r\n\r\n" + FRAME, [-32600, GOOD]),
        (b"Content-Length: %d\r\n\r\n" % (MAX_BYTES + 1) + FRAME, [-32600, GOOD]),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + FRAME, [-32600, GOOD]),
        (b"Content-Length: many\r\n\r\n" + FRAME, [GOOD]),
        (b"junk\r\n" + b"more\n" * 10 + FRAME, [-32700, GOOD]),
        (b"x" * 1_000_000 + b"\n" + FRAME, [-32700, GOOD]),
        (BODY + b"\n" + FRAME, [-32700, GOOD]),
        (framed(b"[" * 50) + FRAME, [-32700, GOOD]),
        (framed(b'"\xff"') + FRAME, [-32700, GOOD]),
        (framed(DEEP) + FRAME, [-32602, GOOD]),
        (FRAME[:-1], []),
        (FRAME[:10], []),
        (b"", []),
    ],
)
def test_messages_and_faults_of_a_stream(sent: bytes, got: list[Any]) -> None:
    for size in (1 << 16, 7):  # however it comes
        if size < 10 and len(sent) > 100_000:
            continue
        found = list(read_messages(io.BufferedReader(io.BytesIO(sent), size)))  # type: ignore[arg-type]
        assert [each.code if isinstance(each, Fault) else each for each in found] == got


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"id": 5, "params": {"id": 6}}', 5),
        (b'{"params": {"id": 6}, "id" : "a\\u0062"}', "ab"),
        (b'{"params": [{"id": 6}], "x": "\\"id\\": 3", "id":-7', -7),
        (b'{"params": {"id": 6}}', None),
        (b'{"id": [5]}', None),
        (b'{"id": 1.5}', None),
        (b'{"id": true}', None),
        (b'{"id": ' + b"9" * 5000 + b"}", None),
        (DEEP, "d"),
        (b"", None),
    ],
)
def test_the_id_of_a_request_that_cannot_be_decoded(body: bytes, expected: object) -> None:
    assert identity(body) == expected


class Talk:
    """A server process and what it says, as plain objects."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llmstep", "lsp", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def send(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def answer(self) -> Any:
        """The next answer; notifications and requests of the server are left out."""
        while "method" in (said := read(self.process.stdout)):
            pass
        return said

    def error(self) -> tuple[Any, int, str]:
        said = self.answer()
        return said["id"], said["error"]["code"], said["error"]["message"]

    def end(self) -> int:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.stdin = None
        return self.process.wait(60)


@pytest.fixture
def talk() -> Iterator[Talk]:
    made = Talk()
    yield made
    made.process.kill()
    _, stderr = made.process.communicate()
    assert b"Traceback" not in stderr


OPTIONS = {"http": {"enabled": False}, "model": "none/none", "lean": {"command": ["/none"]}}
START = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": OPTIONS}


def request(number: Any, method: str, params: Any = None) -> bytes:
    return framed(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode())


def test_a_conversation_with_every_kind_of_wrong_message(talk: Talk) -> None:
    talk.send(message("textDocument/didOpen", {}))  # before `initialize` notifications are dropped
    talk.send(request(1, "textDocument/codeAction"))
    assert talk.error()[:2] == (1, -32602)
    talk.send(request(2, "workspace/executeCommand", {"command": "llmstep.stop"}))
    assert talk.error()[:2] == (2, -32002)
    talk.send(request(3, "initialize", {**START, "rootUri": "http://["}))
    assert talk.error() == (3, -32602, "The parameters of initialize are wrong: rootUri is no address.")
    talk.send(request(4, "initialize", START))
    assert talk.answer()["result"]["serverInfo"]["name"] == "llmstep"
    text = {"uri": "file:///a.lean", "languageId": "lean4", "version": 1, "text": "theorem t : True := by\n  sorry\n"}
    talk.send(message("textDocument/didOpen", {"textDocument": text}))
    again = request(5, "initialize", {**START, "capabilities": None})
    wrong: list[tuple[bytes, Any, int]] = [
        (request(5, "initialize", START), 5, -32600),
        (again, 5, -32602),
        (framed(DEEP), "d", -32602),
        (framed(DIGITS.replace(b'"m"', b'"textDocument/inlayHint"')), 7, -32602),
        (framed(b'{"jsonrpc":"2.0","id":8,"method":"x",}'), 8, -32700),
        (framed(b'{"jsonrpc":"2.0","id":9,"method":"x","params":"\xff"}'), 9, -32700),
        (framed(b"[]"), None, -32600),
        (framed(b"null"), None, -32600),
        (framed(b'{"id":10,"method":"x"}'), None, -32600),
        (request([], "x"), None, -32600),
        (request(True, "x"), None, -32600),
        (request(11, 5), 11, -32600),  # type: ignore[arg-type]
        (framed(b'{"jsonrpc":"2.0","id":12}'), 12, -32600),
        (request(13, "textDocument/didOpen", {"textDocument": text}), 13, -32600),
        (request(14, "textDocument/hover", {}), 14, -32602),
        (request(15, "no/such/method", {"a": 1e308}), 15, -32601),
        (request(16, "workspace/executeCommand", {"command": "no.such"}), 16, -32602),
        (request(17, "workspace/executeCommand", {"command": "llmstep.suggest"}), 17, -32602),
    ]
    place = {"textDocument": {"uri": "file:///a.lean"}, "position": {"line": 1, "character": 2}}
    for name, value in [
        ("position", {"line": float("inf"), "character": 0}),
        ("position", {"line": 1.5, "character": 0}),
        ("position", {"line": "1", "character": 0}),
        ("position", {"line": True, "character": 0}),
        ("position", {"line": -1, "character": 0}),
        ("position", {"line": 2**31, "character": 0}),
        ("textDocument", {"uri": 5}),
        ("textDocument", {"uri": "file:///not-open.lean"}),
        ("textDocument", None),
        ("count", float("nan")),
        ("count", 10**30),
        ("prefix", ["exact"]),
        ("prefix", "\ud800"),
        ("prefix", "x" * 100_000),
        ("more", 1),
        ("diagnostics", 5),
        ("diagnostics", [5]),
    ]:
        params = {"command": "llmstep.suggest", "arguments": [{**place, name: value}]}
        wrong.append((request("s", "workspace/executeCommand", params), "s", -32602))
    for name, value in [("seconds", float("nan")), ("seconds", 1e400), ("expansions", 10**400), ("tactics", [])]:
        params = {"command": "llmstep.prove", "arguments": [{**place, name: value}]}
        wrong.append((request("p", "workspace/executeCommand", params), "p", -32602))
    for sent, number, code in wrong:
        talk.send(sent)
        found, status, said = talk.error()
        assert (found, status) == (number, code), sent[:200]
        assert said.count(". ") == 0, said
        assert said.endswith((".", "?")) or code == -32601, said
        assert len(said) < 400, said
    hints = {"textDocument": {"uri": "file:///a.lean"}, "range": {"start": place["position"], "end": place["position"]}}
    talk.send(request(20, "textDocument/codeAction", {**hints, "context": {"diagnostics": []}}))
    assert [each["title"] for each in talk.answer()["result"]], "the document is still known"
    talk.send(request(21, "shutdown"))
    assert talk.answer() == {"id": 21, "jsonrpc": "2.0", "result": None}
    talk.send(request(22, "textDocument/inlayHint", hints))
    assert talk.error() == (22, -32600, "llmstep is shutting down.")
    talk.send(message("exit", None))
    assert talk.process.wait(60) == 0


def test_a_client_that_does_not_read_for_a_while_loses_nothing(talk: Talk) -> None:
    """The pipe is full long before; what is sent meanwhile waits."""
    talk.send(request("start", "initialize", START))
    count = 3000
    hint = {"textDocument": {"uri": "file:///" + "x" * 200}, "range": {"start": {}, "end": {}}}
    sent = threading.Thread(
        target=lambda: [talk.send(request(each, "textDocument/inlayHint", hint)) for each in range(count)]
    )
    sent.start()
    sent.join(3)
    assert talk.process.poll() is None
    assert talk.answer()["id"] == "start"
    assert [talk.answer()["id"] for _ in range(count)] == list(range(count))
    sent.join()
    talk.send(request("end", "shutdown"))
    assert talk.answer()["id"] == "end"


@pytest.mark.parametrize("sent", [b"", b"Content-Len", b"Content-Length: 50\r\n\r\n{", FRAME[:-3]])
def test_a_client_that_goes_in_the_middle_of_a_message(talk: Talk, sent: bytes) -> None:
    talk.send(sent)
    assert talk.end() == 1


def test_a_client_that_closes_its_end_of_the_answers(talk: Talk) -> None:
    assert talk.process.stdout
    talk.process.stdout.close()
    talk.process.stdout = None
    talk.send(request(1, "initialize", START))
    assert talk.process.wait(60) == 1


def test_a_port_in_use_is_said(tmp_path: object) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "llmstep", "lsp", "--tcp", f"127.0.0.1:{port}"], capture_output=True, timeout=60
        )
    assert ended.returncode == 2
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use. Choose another port" in ended.stderr.decode()
