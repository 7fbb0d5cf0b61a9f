"""Ollama by its own API, as a server that speaks the recorded shape: newline-delimited JSON, one sample a request."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from waiting import until

from llmstep.engine.remote import connection, questions
from llmstep.engine.router import EngineRouter
from llmstep.errors import LlmstepError, ModelNotFoundError, RemoteError
from llmstep.http.server import HttpServer, serve
from llmstep.settings import RemoteSettings, Settings
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEP_MODEL = "zeyu-zheng/BFS-Prover-V2-7B:q8_0"
ASK = PromptInput(Goal("p q : Prop\nhp : p\n⊢ p ∨ q"), prefix="exact ")
SAMPLING = SamplingParams(6, 0.7, 0.9, 32, 11)


class Ollama:
    """Attributes:
    asked: Paths and bodies.
    logprobs: Whether it tells them; versions before 0.12.11 do not.
    fails: What it says in the midst of an answer.
    """

    def __init__(self) -> None:
        self.server: HttpServer | None = None
        self.reset()

    def reset(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.models = ["llama3.2:latest", STEP_MODEL]
        self.logprobs = True
        self.fails = ""
        self.hold: asyncio.Event | None = None
        self.gone = 0

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.url

    async def start(self) -> None:
        app = Starlette(routes=[Route("/{rest:path}", self.answer, methods=["GET", "POST"])])
        app.state.stopping = asyncio.Event()
        self.server = await serve(app, "127.0.0.1", 0)

    async def answer(self, request: Request) -> Response:
        body = json.loads(await request.body() or b"{}")
        path = request.url.path
        self.asked.append((path, body))
        if path == "/api/tags":
            return JSONResponse({"models": [{"name": name, "model": name, "size": 1} for name in self.models]})
        if path != "/api/generate":
            return JSONResponse({"choices": [{"index": 0, "text": "a chat template's nonsense"}]})
        if body["model"] not in self.models:
            return JSONResponse({"error": f"model '{body['model']}' not found"}, 404)
        return StreamingResponse(self.lines(body), media_type="application/x-ndjson")

    async def lines(self, body: dict[str, Any]) -> AsyncIterator[str]:
        common = {"model": body["model"], "created_at": "2026-11-01T10:00:00.0Z"}
        whole = False
        try:
            for text in (" Or.in", f"l hp{body['options']['seed']}"):
                told = {"logprobs": [{"token": text, "logprob": -0.25, "bytes": []}]} if self.logprobs else {}
                yield json.dumps({**common, "response": text, "done": False, **told}) + "\n"
                if self.fails:
                    yield json.dumps({"error": self.fails}) + "\n"
                if self.hold is not None:
                    await self.hold.wait()
            end = {"done": True, "done_reason": "stop", "context": [1, 2], "eval_count": 2}
            yield json.dumps({**common, "response": "", **end}) + "\n"
            whole = True
        finally:
            self.gone += not whole


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _there() -> AsyncIterator[Ollama]:
    made = Ollama()
    await made.start()
    yield made
    assert made.server is not None
    await made.server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def there(_there: Ollama, monkeypatch: pytest.MonkeyPatch) -> Ollama:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.001)
    _there.reset()
    return _there


@asynccontextmanager
async def engine_for(url: str, model: str = "", engine: Any = "ollama") -> AsyncIterator[EngineRouter]:
    made = EngineRouter(Settings(engine=engine, remote=RemoteSettings(url=url, model=model)))
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize("path", ["", "/", "/v1", "/api"])
async def test_raw_prompts_to_its_own_api_and_scores(there: Ollama, path: str) -> None:
    async with engine_for(there.url + path) as engine:
        answer = await engine.generate(ASK, SAMPLING)
    assert {path for path, _ in there.asked} == {"/api/tags", "/api/generate"}
    bodies = [body for path, body in there.asked if path == "/api/generate"]
    assert {body["prompt"] for body in bodies} == {"p q : Prop\nhp : p\n⊢ p ∨ q:::exact"}
    assert {(body["model"], body["raw"], body["stream"]) for body in bodies} == {(STEP_MODEL, True, True)}
    assert sorted(body["options"]["seed"] for body in bodies) == list(range(11, 17))
    options = bodies[0]["options"]
    assert (options["temperature"], options["top_p"], options["num_predict"]) == (0.7, 0.9, 32)
    assert (options["top_k"], options["repeat_penalty"]) == (0, 1.0)  # nothing that was not asked for
    assert options["num_ctx"] > 32 + len(ASK.goal.text) // 3
    assert (answer.drawn, answer.model) == (6, STEP_MODEL)
    assert {each.text for each in answer.candidates} == {f"exact Or.inl hp{seed}" for seed in range(11, 17)}
    assert {each.score for each in answer.candidates} == {-0.25}


async def test_a_version_without_log_probabilities(there: Ollama) -> None:
    there.logprobs = False
    async with engine_for(there.url, STEP_MODEL) as engine:
        answer = await engine.generate(ASK, SAMPLING)
    assert {each.score for each in answer.candidates} == {None}


async def test_the_usual_port_is_known_and_never_asked_by_openais_protocol(
    there: Ollama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "OLLAMA_PORT", int(there.url.rpartition(":")[2]))
    for url, kind in (("", "ollama"), (f"{there.url}/v1", "openai")):
        async with engine_for(url, engine=kind) as engine:
            assert await engine.load() == STEP_MODEL
            assert (await engine.generate(ASK, SAMPLING)).drawn == 6
            assert engine.status.engine == "ollama"
    assert not [path for path, _ in there.asked if not path.startswith("/api/")]


async def test_cancelling_closes_the_requests(there: Ollama) -> None:
    there.hold = asyncio.Event()
    async with engine_for(there.url) as engine:
        started = asyncio.Event()
        task = asyncio.create_task(engine.generate(ASK, SAMPLING, progress=lambda _: started.set()))
        await started.wait()
        task.cancel()
        await asyncio.wait({task})
        await until(lambda: there.gone)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"models": []}, ModelNotFoundError, "has no models."),
        ({"models": ["llama3.2:latest"]}, LlmstepError, "The prompt template of the model llama3.2:latest"),
        ({"fails": "CUDA error"}, RemoteError, "The server failed: CUDA error."),
    ],
)
async def test_what_goes_wrong_is_said(there: Ollama, change: dict[str, Any], kind: Any, message: str) -> None:
    for name, value in change.items():
        setattr(there, name, value)
    async with engine_for(there.url) as engine:
        with pytest.raises(kind) as caught:
            await engine.generate(ASK, SAMPLING)
    assert message in caught.value.message


async def test_a_model_that_it_does_not_have(there: Ollama) -> None:
    async with engine_for(there.url, "bfs-prover-v2-7b") as engine:
        with pytest.raises(ModelNotFoundError, match="has no model bfs-prover-v2-7b"):
            await engine.generate(ASK, SAMPLING)


async def test_no_ollama_there() -> None:
    async with engine_for("http://127.0.0.1:9") as engine:
        with pytest.raises(RemoteError, match=r"Nothing answers at http://127\.0\.0\.1:9\."):
            await engine.load()
