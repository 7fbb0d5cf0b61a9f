"""Wrong messages for the language server: each request is answered, with a sentence where it cannot be done.

    python tests/soak/lsp_fuzz.py [COUNT] [SEED]

The messages go as bytes through the server's own decoding and its handlers, in this process. Each is well formed
except for one place, where something hostile stands.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstep.lsp.framing import Fault, decode
from llmstep.lsp.setup import create_session

if TYPE_CHECKING:
    from collections.abc import Callable

URI = "file:///fuzz/A.lean"
TEXT = "theorem t (p : Prop) (hp : p) : p := by\n  sorry\n-- 𝔸 ∧ 🙂\r\n"
PLACE = {"line": 1, "character": 2}
RANGE = {"start": PLACE, "end": {"line": 1, "character": 7}}
DOCUMENT = {"uri": URI}
ARGUMENT = {"textDocument": DOCUMENT, "position": PLACE, "count": 2, "prefix": "exact", "more": False, "seconds": 0.1}


def command(name: str, argument: Any = None) -> tuple[str, Any]:
    return "workspace/executeCommand", {"command": name, "arguments": [] if argument is None else [argument]}


REQUESTS: list[tuple[str, Any]] = [
    (
        "textDocument/codeAction",
        {
            "textDocument": DOCUMENT,
            "range": RANGE,
            "context": {"diagnostics": [{"range": RANGE, "message": "unsolved goals", "severity": 1}], "only": [""]},
        },
    ),
    ("textDocument/inlayHint", {"textDocument": DOCUMENT, "range": RANGE}),
    ("textDocument/inlineCompletion", {"textDocument": DOCUMENT, "position": PLACE, "context": {"triggerKind": 1}}),
    command("llmstep.suggest", ARGUMENT),
    command("llmstep.prove", {**ARGUMENT, "tactics": "list", "expansions": 1, "samples": 1, "seed": 1}),
    command("llmstep.fillSorries", {"textDocument": DOCUMENT, "seconds": 0.1}),
    command("llmstep.choose", {"textDocument": DOCUMENT, "position": PLACE, "step": 1, "diagnostics": []}),
    command("llmstep.accept", {"textDocument": DOCUMENT, "position": PLACE}),
    command("llmstep.selectModel", {"model": "no-such-model", "load": False}),
    command("llmstep.downloadModel", {"model": 1}),
    command("llmstep.status"),
    command("llmstep.stop"),
    command("no.such.command", ARGUMENT),
    ("initialize", {"processId": 1, "rootUri": "file:///fuzz", "capabilities": {}}),
    ("textDocument/hover", {"textDocument": DOCUMENT, "position": PLACE}),
    ("no/such/method", {"a": [1, {"type_name": 2}]}),
]
NOTIFICATIONS: list[tuple[str, Any]] = [
    ("textDocument/didOpen", {"textDocument": {"uri": URI, "languageId": "lean4", "version": 1, "text": TEXT}}),
    (
        "textDocument/didChange",
        {
            "textDocument": {"uri": URI, "version": 2},
            "contentChanges": [{"range": RANGE, "text": "sorry"}, {"range": RANGE, "text": "sorry"}],
        },
    ),
    ("textDocument/didChange", {"textDocument": {"uri": URI, "version": 3}, "contentChanges": [{"text": TEXT}]}),
    ("textDocument/didClose", {"textDocument": {"uri": "file:///fuzz/B.lean"}}),
    ("workspace/didChangeConfiguration", {"settings": {"llmstep": {"count": 3, "http": {"enabled": False}}}}),
    ("workspace/didChangeWorkspaceFolders", {"event": {"added": [{"uri": "file:///x", "name": "x"}], "removed": []}}),
    ("$/setTrace", {"value": "off"}),
    ("$/cancelRequest", {"id": 1}),
    ("window/workDoneProgress/cancel", {"token": "t"}),
    ("initialized", {}),
    ("no/such/notification", {}),
]
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**31 - 1, 2**53, 2**64, 10**400, 1.5, -0.0, 1e308, float("inf"), float("nan"),
    "", "a", "\x00", "\ud800", "🙂", "\u202e", "x" * 10_000, "file://[", "http://[::1", "%00", "untitled:1", URI,
    [], [None], [[[]]], {}, {"": None}, {"uri": URI}, PLACE, RANGE, {"line": -1, "character": -1},
    {"line": 10**9, "character": 10**9}, {"line": "1", "character": "2"}, [RANGE] * 50, {"jsonrpc": "2.0", "id": 1},
]  # fmt: skip
IDENTITIES: list[Any] = [None, True, 1.5, [], {}, 10**400, float("nan"), "", "\ud800"]

ALLOWED = {-32700, -32600, -32601, -32602, -32803, -32802, -32801, -32800, -32002}
SENTENCE = re.compile(r"^[A-Z`'\"0-9lc]?.{0,600}[.?]$", re.DOTALL)
PYTHON = re.compile(
    r"Traceback|Error\b.*:|object has no|NoneType|<class|__|\bexpected str|unhashable|not subscriptable|-32603"
)


def mutated(value: Any, chance: random.Random) -> Any:
    """A copy with something hostile at one place."""
    value = copy.deepcopy(value)
    holders: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, inner in list(entries):
            holders.append((node, key))
            walk(inner)

    walk(value)
    if not holders or chance.random() < 0.05:
        return chance.choice(HOSTILE)
    holder, key = chance.choice(holders)
    what = chance.random()
    if what < 0.2 and isinstance(holder, dict):
        del holder[key]
    elif what < 0.3 and isinstance(holder, dict):
        holder[chance.choice(["x", "\ud800", "", "uri", "line"])] = chance.choice(HOSTILE)
    else:
        holder[key] = chance.choice(HOSTILE)
    return value


def messages(chance: random.Random) -> Any:
    """Message after message; each may be wrong."""
    number = 0
    while True:
        number += 1
        is_request = chance.random() < 0.6
        method, params = chance.choice(REQUESTS if is_request else NOTIFICATIONS)
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": mutated(params, chance)}
        if is_request:
            message["id"] = number if chance.random() < 0.5 else f"s{number}"
        odd = chance.random()
        if odd < 0.03:
            message["id"] = chance.choice(IDENTITIES)
        elif odd < 0.06:
            message = mutated(message, chance)
        elif odd < 0.07:
            message = {"jsonrpc": "2.0", "id": chance.choice(["x", 1, number]), "result": chance.choice(HOSTILE)}
        elif odd < 0.08:
            message = {"jsonrpc": "2.0", "id": number, "error": chance.choice(HOSTILE)}
        yield message


class Client:
    """Takes what the server sends; knows which requests wait."""

    def __init__(self) -> None:
        self.waiting: dict[Any, Any] = {}
        self.outcomes: Counter[str] = Counter()
        self.news = asyncio.Event()

    def put(self, encode: Callable[[], bytes]) -> None:
        self.take(json.loads(encode()))

    def take(self, answer: Any) -> None:
        if "method" in answer:
            return
        asked = self.waiting.pop(answer.get("id"), None)
        self.news.set()
        error = answer.get("error")
        if error is None:
            self.outcomes["done"] += 1
            return
        self.outcomes[str(error["code"])] += 1
        said = error["message"]
        assert error["code"] in ALLOWED, (asked, error)
        assert SENTENCE.match(said) or error["code"] == -32601 or "is canceled" in said, (asked, error)
        assert not PYTHON.search(json.dumps(error)), (asked, error)


async def fuzz(count: int, seed: int) -> Counter[str]:
    """Send so many messages; how they ended, by the code of their error."""
    chance = random.Random(seed)
    logging.disable(logging.CRITICAL)
    server, client = create_session(), Client()
    protocol = server.protocol
    protocol.outbox = client  # type: ignore[assignment]

    def send(message: Any) -> None:
        asked = message.get("id") if isinstance(message, dict) and "method" in message else None
        if isinstance(asked, (str, int)) and type(asked) is not bool and asked not in client.waiting:
            client.waiting[asked] = message
        data, _ = decode(json.dumps(message).encode())
        read = protocol.read(data)
        if isinstance(read, Fault) and read.id is None and isinstance(asked, (str, int, float, type(None))):
            client.waiting.pop(asked, None)
        protocol.handle_message(read)

    async def answered() -> None:
        while client.waiting:
            client.news.clear()
            try:
                await asyncio.wait_for(client.news.wait(), 20)
            except asyncio.TimeoutError:
                raise AssertionError(f"not answered: {client.waiting}") from None

    with tempfile.TemporaryDirectory() as name:
        options = {"model": f"{name}/none", "lean": {"command": [f"{name}/lean"]}, "http": {"enabled": False}}
        first = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options}
        send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": first})
        send({"jsonrpc": "2.0", "method": "initialized", "params": {}})
        await asyncio.sleep(0.1)
        await server.ready()
        source = messages(chance)
        for number in range(count):
            if number % 200 == 0:
                await answered()
                for each in (NOTIFICATIONS[0], NOTIFICATIONS[2]):
                    send({"jsonrpc": "2.0", "method": each[0], "params": each[1]})
                assert server.documents.snapshot(URI).text == TEXT
            send(next(source))
            if number % 20 == 0:
                await asyncio.sleep(0)
        await answered()
        send({"jsonrpc": "2.0", "id": 0, "method": "shutdown"})
        await answered()
        await server.close()
    return client.outcomes


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    begun = time.perf_counter()
    found = asyncio.run(fuzz(number, int(sys.argv[2]) if len(sys.argv) > 2 else 1))
    print(f"{number} messages in {time.perf_counter() - begun:.0f} s: {dict(found.most_common())}")
