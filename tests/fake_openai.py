"""An OpenAI-compatible server that does as it is told, on a real socket: faults, oddities, answers that wait."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import attrs
from ports import free_port
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from llmstep.http.server import HttpServer, serve
from llmstep.settings import RemoteSettings, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

MODEL = "fake/pythia"


@attrs.define
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class FakeServer:
    """Answers as it is told to.

    Attributes:
        asked: The requests so far.
        texts: The samples, one after the other, again and again.
        pieces: Number of pieces in which a sample comes.
        faults: Responses for the next requests for samples, instead of answers; None is an answer.
        has: The pages it has.
        obeys_n, obeys_stop, logprobs, streams: What it does with these.
        refuses: Fields that it refuses with a status of 400.
        most: Most samples that it takes in a request.
        numbers_all_zero: Whether every sample has the number 0, as behind some gateways.
        hold: While set, samples wait behind their first piece.
        cuts: Number of answers that are to be cut short, after their third piece.
    """

    def __init__(self) -> None:
        self.port = free_port()  # one that nobody else is given while this one is gone
        self._server: HttpServer | None = None
        self.reset()

    def reset(self) -> None:
        self.asked: list[Asked] = []
        self.texts = ["rfl", "simp [h]", "omega"]
        self.pieces = 2
        self.faults: list[Callable[[], Response] | None] = []
        self.has = {"/v1/completions", "/v1/chat/completions", "/v1/models"}
        self.models: Any = {"object": "list", "data": [{"id": MODEL}, {"id": "another"}]}
        self.obeys_n = self.obeys_stop = self.logprobs = self.streams = self.says_done = True
        self.refuses: dict[str, str] = {}
        self.most, self.says_most = 1 << 20, ""
        self.numbers_all_zero = False
        self.hold: asyncio.Event | None = None
        self.cuts = 0
        self.longest_prompt: int | None = None
        self.open = 0
        self.closed_early = 0
        self.given = 0
        self.news = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def samplings(self) -> list[Asked]:
        return [each for each in self.asked if each.path != "/v1/models"]

    def settings(self, **remote: Any) -> Settings:
        return Settings(engine="openai", remote=RemoteSettings(**{"url": self.url, "model": MODEL, **remote}))

    async def start(self) -> None:
        paths = ("/v1/completions", "/v1/chat/completions", "/v1/models")
        app = Starlette(routes=[Route(path, self._answer, methods=["GET", "POST"]) for path in paths])
        app.state.stopping = asyncio.Event()
        self._server = await serve(app, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Be gone; `start` comes back at the same port."""
        assert self._server is not None
        await self._server.stop()

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until a request has come or gone and the condition is true."""

        async def reached() -> None:
            async with self.news:
                await self.news.wait_for(condition)

        await asyncio.wait_for(reached(), 60)

    async def _count(self, change: int) -> None:
        async with self.news:
            self.open += change
            self.news.notify_all()

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        body = json.loads(await request.body() or b"{}")
        self.asked.append(Asked(path, dict(request.headers), body))
        if path not in self.has:
            return JSONResponse({"detail": "Not Found"}, 404)
        if path == "/v1/models":
            return JSONResponse(self.models) if not isinstance(self.models, Response) else self.models
        if self.faults and (fault := self.faults.pop(0)) is not None:
            return fault()
        if (refused := next((field for field in body if field in self.refuses), None)) is not None:
            return error(400, self.refuses[refused])
        if self.longest_prompt is not None and len(_prompt(body)) > self.longest_prompt:
            return error(400, f"This model's maximum context length is {self.longest_prompt} tokens.")
        if body.get("n", 1) > self.most:
            return error(400, self.says_most.format(n=body["n"]))
        count = body.get("n", 1) if self.obeys_n else 1
        samples = [self._text(body) for _ in range(count)]
        chat = path.endswith("chat/completions")
        if not self.streams:
            numbers = [0] * count if self.numbers_all_zero else range(count)
            whole = [self._whole(number, text, chat) for number, text in zip(numbers, samples, strict=True)]
            return JSONResponse({"choices": whole})
        return StreamingResponse(self._events(samples, chat), media_type="text/event-stream")

    def _text(self, body: dict[str, Any]) -> str:
        text = self.texts[self.given % len(self.texts)]
        self.given += 1
        stops = body.get("stop", []) if self.obeys_stop else []
        for stop in stops:
            text = text.partition(stop)[0]
        return text

    def _whole(self, index: int, text: str, chat: bool) -> dict[str, Any]:
        said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        return {"index": index, **said, "finish_reason": "stop", **self._logprobs(text, chat)}

    def _logprobs(self, text: str, chat: bool) -> dict[str, Any]:
        """One token a piece, of log-probability -0.5."""
        if not self.logprobs:
            return {}
        if chat:
            return {"logprobs": {"content": [{"token": text, "logprob": -0.5}]}}
        return {"logprobs": {"tokens": [text], "token_logprobs": [-0.5]}}

    async def _events(self, samples: list[str], chat: bool) -> AsyncIterator[str]:
        await self._count(1)
        sent = 0
        whole = False
        try:
            for number, text in enumerate(samples):
                index = 0 if self.numbers_all_zero else number
                size = -(-len(text) // self.pieces) or 1
                parts = [text[start : start + size] for start in range(0, len(text), size)]
                for number, part in enumerate(parts):
                    if self.hold is not None and number:
                        await self.hold.wait()
                    said = {"delta": {"content": part}} if chat else {"text": part}
                    yield _event({"index": index, **said, "finish_reason": None, **self._logprobs(part, chat)})
                    sent += 1
                    if sent == 3 and self.cuts:
                        self.cuts -= 1
                        return
                yield _event({"index": index, **({"delta": {}} if chat else {"text": ""}), "finish_reason": "stop"})
            if self.says_done:
                yield "data: [DONE]\n\n"
            whole = True
        finally:
            self.closed_early += not whole
            await self._count(-1)


def _event(choice: dict[str, Any]) -> str:
    return f": a comment\nevent: x\ndata: {json.dumps({'choices': [choice]})}\n\n"


def _prompt(body: dict[str, Any]) -> str:
    return body["prompt"] if "prompt" in body else json.dumps(body["messages"])


def error(status: int, message: str, **headers: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "x"}}, status, headers)
