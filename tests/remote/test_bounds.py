"""Answers without end, compressed ones, and JSON that is none: a sentence each, and little memory."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import Response

from llmstep.engine.remote import connection
from llmstep.engine.remote.connection import CLIENT_HEADER, own_name
from llmstep.engine.router import EngineRouter
from llmstep.errors import RemoteError, RemoteRefusedError
from llmstep.http.app import create_app
from llmstep.http.server import serve
from llmstep.types import SamplingParams

from .asks import ASK, SIX
from .conftest import FakeServer, engine_for
from .failures import failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

GIGABYTE = 1 << 30
MEGABYTE = b"x" * (1 << 20)
EVENT = b'data: {"choices": [{"index": 0, "text": "' + b"x" * 60_000 + b'"}]}\n\n'


class Endless(BaseHTTPRequestHandler):
    """Sends a gigabyte for anything, as the path says: whole, as one line, as events, or packed."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.close_connection = True
        kind = self.path.split("/")[1]
        self.send_response(500 if kind == "error" else 200)
        if kind == "bomb":
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self._write(gzip.compress(b" " * GIGABYTE, 6))
            return
        self.send_header("Content-Type", "text/event-stream" if kind in ("events", "line") else "application/json")
        self.end_headers()
        piece = EVENT if kind == "events" else MEGABYTE
        for _ in range(GIGABYTE // len(piece)):
            if not self._write(piece):
                return

    def _write(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def endless() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


PROGRAM = """
import asyncio, resource, sys
from llmstep.engine.remote import connection
connection.FIRST_PAUSE = 0.001
from llmstep.engine.router import EngineRouter
from llmstep.errors import LlmstepError
from llmstep.settings import RemoteSettings, Settings
from llmstep.types import PromptInput, Goal
import httpx, llmstep.engine.remote.openai, llmstep.engine.remote.llmstep
async def main():
    kind, url, model = sys.argv[1:]
    engine = EngineRouter(Settings(engine=kind, template="pythia", remote=RemoteSettings(url=url, model=model)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        await (engine.generate(PromptInput(Goal("⊢ True"))) if model else engine.load())
    except LlmstepError as error:
        print(error.message)
    await engine.close()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
asyncio.run(main())
"""
TOO_LONG = "The answer of the server at {url} is longer than any that llmstep asks for."
COMPRESSED = "The server at {url} sends compressed answers, which llmstep does not ask for."


@pytest.mark.skipif(sys.platform == "win32", reason="there is no resource module")
@pytest.mark.parametrize(
    ("engine", "kind", "model", "said"),
    [
        ("openai", "whole", "m", TOO_LONG),
        ("openai", "line", "m", TOO_LONG),
        ("openai", "events", "m", "The answer of the server at {url} cannot be read."),
        ("openai", "bomb", "m", COMPRESSED),
        ("openai", "error", "m", "The server at {url} failed (status 500)"),
        ("openai", "whole", "", TOO_LONG),
        ("llmstep", "line", "m", TOO_LONG),
        ("llmstep", "bomb", "m", COMPRESSED),
    ],
)
async def test_a_gigabyte_costs_little_memory(endless: str, engine: str, kind: str, model: str, said: str) -> None:
    url = f"{endless}/{kind}/v1"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LLMSTEP_")}
    command = [sys.executable, "-c", PROGRAM, engine, url, model]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    told, grown = done.stdout.splitlines()
    assert told.startswith(said.format(url=url))
    assert int(grown) < 250, f"{grown} MB"


def junk(content: bytes) -> Callable[[], Response]:
    return lambda: Response(content, media_type="application/json")


CHOICE = '{"choices": [{"index": %s, "text": "a", "finish_reason": "stop", "logprobs": {"token_logprobs": [%s]}}]}'


@pytest.mark.parametrize(
    "content",
    [
        CHOICE % ("1" * 5000, -1),
        CHOICE % ("1e400", -1),
        CHOICE % ("NaN", -1),
        CHOICE % (0, "9" * 5000),
        CHOICE % (0, "-1e400"),
        CHOICE % (0, '"x"'),
        CHOICE % (0, "[[]]"),
        '{"choices": [{"index": 0, "text": "\\ud800", "finish_reason": "stop"}]}',
        '{"choices": 3}',
        '{"choices": [[]]}',
        "[" * 100_000,
        '{"error": ' * 900 + "1" + "}" * 900,
    ],
)
async def test_json_that_is_none_is_one_sentence(fake: FakeServer, content: str) -> None:
    fake.faults = [junk(content.encode())] * connection.TRIES
    told = await failure(fake, RemoteError)
    assert "\n" not in told.message
    assert not any(word in str(told) for word in ("Error", "Traceback", "int("))


@pytest.mark.parametrize("content", ["[" * 100_000, '{"data": [{"id": 1e400}]}', "NaN", "9" * 5000, "\xff"])
async def test_lists_of_models_that_are_none(fake: FakeServer, content: str) -> None:
    fake.models = Response(content.encode("latin-1"), media_type="application/json")
    told = await failure(fake, RemoteError, fake.settings(model=""))
    assert told.message == f"The answer of the server at {fake.url} cannot be read."


async def test_errors_may_be_compressed_and_say_nothing_then(fake: FakeServer) -> None:
    packed = gzip.compress(json.dumps({"error": "x" * 10_000}).encode())
    fake.faults = [lambda: Response(packed, 400, {"Content-Encoding": "gzip"})]
    told = await failure(fake, RemoteRefusedError)
    assert told.message == f"The server at {fake.url} refuses the request (status 400)."


async def test_more_than_32_requests_reach_a_server_at_once(fake: FakeServer) -> None:
    fake.hold = asyncio.Event()
    async with engine_for(fake.settings()) as engine:
        samplings = [SamplingParams(1, 0.5, 1.0, 8, seed=number) for number in range(50)]
        asking = [asyncio.ensure_future(engine.generate(ASK, sampling)) for sampling in samplings]
        await fake.until(lambda: fake.open == 50)
        fake.hold.set()
        assert len(await asyncio.gather(*asking)) == 50


async def test_as_many_requests_pass_through_a_server_as_at_once_says(fake: FakeServer) -> None:
    fake.hold = asyncio.Event()
    settings = fake.settings()
    engine = EngineRouter(settings)
    server = await serve(create_app(engine, settings, at_once=48), "127.0.0.1", 0)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60, limits=limits) as client:
        bodies = [{"tactic_state": "⊢ True", "prefix": f"exact f{number} ", "count": 1} for number in range(60)]
        asking = [asyncio.ensure_future(client.post("/", json=body)) for body in bodies]
        await fake.until(lambda: fake.open == 48)
        assert (await client.get("/health")).json()["waiting"] == 12
        fake.hold.set()
        assert {(await each).status_code for each in asking} == {200}
    await server.stop()
    await engine.close()


async def test_a_client_says_that_it_is_another_one_and_not_who(fake: FakeServer) -> None:
    async with engine_for(fake.settings()) as engine:
        await engine.generate(ASK, SIX)
    name = fake.asked[-1].headers[CLIENT_HEADER.lower()]
    assert name == own_name()
    assert len(name) == 16
    assert int(name, 16) >= 0
