"""Answers and errors of the endpoint, on a real socket; the real engine is in `test_endpoint.py`."""

from __future__ import annotations

import asyncio
import json
import math
import os

import httpx
import pytest

from llmstep import __version__
from llmstep.catalog.model_key import ModelKey
from llmstep.errors import (
    BusyError,
    CancelledError,
    DownloadError,
    GenerationError,
    LlmstepError,
    ModelLoadError,
    ModelNotFoundError,
    ModelTooLargeError,
    SettingsError,
)
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

from .conftest import BODY, STATE, Running, running
from .test_requests import MALFORMED

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_answer_has_upstreams_form_and_only_adds(up: Running) -> None:
    answer = await up.client.post("/", json={**BODY, "prefix": "ex", "context": "import Mathlib"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "suggestions": ["exomega", "exexact Nat.ne_of_gt h"],
        "scores": [-0.25, -0.5],
        "model": "scripted",
        "elapsed_ms": 1.5,
    }
    assert up.engine.asked == [(PromptInput(Goal(STATE), prefix="ex", context="import Mathlib"), None)]


async def test_leancopilots_answer(up: Running) -> None:
    answer = await up.client.post("/generate", json={"name": "any", "input": STATE, "prefix": ""})
    assert answer.status_code == 200
    assert answer.json() == {
        "outputs": [
            {"output": "omega", "score": math.exp(-0.25)},
            {"output": "exact Nat.ne_of_gt h", "score": math.exp(-0.5)},
        ]
    }


async def test_count_is_taken_with_the_settings_of_the_moment(up: Running) -> None:
    await up.client.post("/", json={**BODY, "count": 3})
    app = up.server.app
    app.state.settings = Settings(temperature=0.1, top_p=0.5, max_new_tokens=7)
    await up.client.post("/", json={**BODY, "count": 4})
    assert [sampling for _, sampling in up.engine.asked] == [
        SamplingParams(3, 0.7, 1.0, 128),
        SamplingParams(4, 0.1, 0.5, 7),
    ]


async def test_health(up: Running) -> None:
    up.engine.status.state = "loading"
    answer = await up.client.get("/health")
    assert answer.json() == {
        "status": "ok",
        "name": "llmstep",
        "version": __version__,
        "model": "scripted",
        "state": "loading",
        "protocol": 1,
        "model_key": ModelKey.of(Settings()).digest,
        "pid": os.getpid(),
        "waiting": 0,
    }
    assert up.engine.asked == []


def failed(answer: httpx.Response, status: int, error: str, hint: str) -> None:
    assert answer.status_code == status
    assert answer.json() == {"error": error, "hint": hint, "suggestions": []}


@pytest.mark.parametrize(
    ("fault", "status", "retry"),
    [
        (ModelNotFoundError, 503, False),
        (ModelLoadError, 503, False),
        (ModelTooLargeError, 503, False),
        (DownloadError, 503, True),
        (CancelledError, 503, True),
        (BusyError, 429, True),
        (GenerationError, 500, False),
        (SettingsError, 500, False),
        (LlmstepError, 500, False),
    ],
)
@pytest.mark.parametrize("path", ["/", "/generate"])
async def test_errors_are_statuses(up: Running, fault: type[LlmstepError], status: int, retry: bool, path: str) -> None:
    up.engine.fault = fault("What happened.", hint="What to do.")
    answer = await up.client.post(path, json={**BODY, "input": STATE})
    failed(answer, status, "What happened.", "What to do.")
    assert ("retry-after" in answer.headers) is retry
    up.engine.fault = None
    assert (await up.client.post("/", json=BODY)).status_code == 200


async def test_busy_says_when_to_come_back(up: Running) -> None:
    up.engine.fault = BusyError("Too many.")
    up.engine.status.last_ms = 30_000.0  # sixteen at a time
    assert (await up.client.post("/", json=BODY)).headers["retry-after"] == "2"
    up.engine.status.last_ms = 3_000_000.0
    assert (await up.client.post("/", json=BODY)).headers["retry-after"] == "60"


async def test_an_unexpected_error_is_named(up: Running, caplog: pytest.LogCaptureFixture) -> None:
    up.engine.fault = ZeroDivisionError("float division")
    answer = await up.client.post("/", json=BODY)
    assert answer.status_code == 500
    assert answer.json()["error"] == "llmstep met an unexpected error: ZeroDivisionError: float division."
    assert answer.json()["suggestions"] == []
    assert caplog.records[-1].exc_info is not None


@pytest.mark.parametrize(("sent", "message"), MALFORMED)
async def test_a_malformed_body_is_400(up: Running, sent: bytes, message: str) -> None:
    answer = await up.client.post("/", content=sent, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"] == message
    assert answer.json()["suggestions"] == []
    assert up.engine.asked == []


@pytest.mark.parametrize("path", ["/nothing", "/generate/x", "//"])
async def test_no_such_page(up: Running, path: str) -> None:
    answer = await up.client.get(up.server.url + path)
    failed(
        answer,
        404,
        f"There is no {path} here.",
        "GET /openapi.json lists the pages of this server.",
    )


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("DELETE", "/generate"), ("PUT", "/health")])
async def test_wrong_method(up: Running, method: str, path: str) -> None:
    answer = await up.client.request(method, path)
    failed(
        answer,
        405,
        f"{path} does not take {method} requests.",
        "GET /openapi.json lists the pages of this server.",
    )
    assert answer.headers["allow"]


async def test_a_client_that_goes_away_cancels_its_generation(up: Running) -> None:
    up.engine.hold = asyncio.Event()
    _, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    body = json.dumps(BODY).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await up.engine.runs(1)
    assert up.engine.cancelled == 0
    writer.close()
    await up.engine.runs(0)
    assert (up.engine.running, up.engine.cancelled) == (0, 1)
    up.engine.hold = None
    assert (await up.client.post("/", json=BODY)).status_code == 200


async def test_a_client_that_goes_away_within_its_body_asks_nothing(up: Running) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    await writer.drain()
    writer.close()
    assert (await up.client.post("/", json=BODY)).status_code == 200
    assert len(up.engine.asked) == 1


async def test_one_client_that_goes_away_does_not_disturb_another(up: Running) -> None:
    up.engine.hold = asyncio.Event()
    staying = asyncio.ensure_future(up.client.post("/", json=BODY))
    leaving = asyncio.ensure_future(up.client.post("/", json=BODY))
    await up.engine.runs(2)
    leaving.cancel()
    await up.engine.runs(1)
    up.engine.hold.set()
    assert (await staying).status_code == 200
    assert up.engine.cancelled == 1


async def test_stopping_answers_what_is_in_work() -> None:
    async with running() as it:
        it.engine.hold = asyncio.Event()
        asking = asyncio.ensure_future(it.client.post("/", json=BODY))
        await it.engine.runs(1)
        await asyncio.wait_for(it.server.stop(), 60)
        failed(await asking, 503, "The llmstep server is stopping.", "Start it again.")
        assert (it.engine.running, it.engine.cancelled) == (0, 1)
        with pytest.raises(httpx.ConnectError):
            await it.client.get("/health")
