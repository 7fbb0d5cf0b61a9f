"""A model at an OpenAI-compatible server that answers by a script: real HTTP, real streams, typical mistakes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs

from llmstep.search.attempt import Plan
from llmstep.types import SamplingParams

NAME = "scripted-goedel-prover"
"""Its name says that it writes whole proofs."""

PLAN = Plan(expansions=8, seconds=60, sampling=SamplingParams(4, seed=0), rounds=2, tokens=4096)
"""Small budgets, for proofs of a few lines."""


@attrs.frozen
class Reply:
    """One answer."""

    text: str = ""
    thought: str = ""
    """Given in the field for thoughts."""
    finish: str = "stop"
    endless: bool = False
    """The text is repeated until the client goes away."""
    status: int = 200
    pause: float = 0.0
    """Seconds before each piece."""


Script = Callable[[list[dict[str, str]], int], "Reply | str"]
"""From the conversation, and the number of answers before, to an answer."""


class ScriptedModel:
    """The server, in a thread of its own.

    Args:
        script: Gives the answers; a list is given one after the other, its last again and again.

    Attributes:
        asked: The bodies of the requests so far.
        left: Number of answers that the client did not read to their end.
        refused: Fields that it does not take.
        streams: Whether it sends an answer piece by piece.
    """

    def __init__(self, script: Script | list[Reply | str], name: str = NAME) -> None:
        self.script = script
        self.name = name
        self.asked: list[dict[str, Any]] = []
        self.left = 0
        self.refused: set[str] = set()
        self.streams = True
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                named = {"models": [{"name": model.name}]} if self.path == "/api/tags" else {}
                self._whole(200, {"object": "list", "data": [{"id": model.name}], **named})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.ollama = self.path == "/api/chat"
                if not self.ollama and not self.path.endswith("/chat/completions"):
                    self._whole(404, {"error": {"message": "Not Found"}})
                    return
                if unknown := model.refused & set(body):
                    self._whole(400, {"error": {"message": f"Unrecognized request argument: {min(unknown)}"}})
                    return
                number = len(model.asked)
                model.asked.append(body)
                reply = model.answer(body["messages"], number)
                if reply.status != 200:
                    self._whole(reply.status, {"error": {"message": reply.text}})
                    return
                if not model.streams:
                    message = {"role": "assistant", "content": reply.text, "reasoning": reply.thought}
                    choice = {"index": 0, "message": message, "finish_reason": reply.finish}
                    self._whole(200, {"choices": [choice], "usage": {"completion_tokens": 77}})
                    return
                try:
                    self._stream(reply)
                except OSError:
                    model.left += 1

            def _whole(self, status: int, value: Any) -> None:
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def _stream(self, reply: Reply) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ndjson" if self.ollama else "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True
                for piece in _pieces(reply.thought):
                    self._event({"reasoning_content": piece}, reply)
                for piece in _pieces(reply.text):
                    self._event({"content": piece}, reply)
                while reply.endless:
                    self._event({"content": " hmm"}, reply)
                self._event({}, reply, finish=reply.finish)
                if not self.ollama:
                    self.wfile.write(b"data: [DONE]\n\n")

            def _event(self, delta: dict[str, str], reply: Reply, finish: str | None = None) -> None:
                time.sleep(reply.pause)
                if self.ollama:
                    message = {"content": delta.get("content", ""), "thinking": delta.get("reasoning_content", "")}
                    line = {"message": message, "done": finish is not None, "done_reason": finish, "eval_count": 55}
                    self.wfile.write(json.dumps(line).encode() + b"\n")
                    self.wfile.flush()
                    return
                choice = {"index": 0, "delta": delta, "finish_reason": finish}
                self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
                self.wfile.flush()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def answer(self, messages: list[dict[str, str]], number: int) -> Reply:
        if callable(self.script):
            reply = self.script(messages, number)
        else:
            reply = self.script[min(number, len(self.script) - 1)]
        return reply if isinstance(reply, Reply) else Reply(reply)

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)


def _pieces(text: str) -> list[str]:
    return [text[at : at + 12] for at in range(0, len(text), 12)]


def fenced(code: str) -> str:
    return f"Here is the proof.\n\n```lean4\n{code}\n```\nIt works because of the hypotheses."
