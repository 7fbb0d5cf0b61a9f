"""What another llmstep asks: lines that come while the model works, the end, and what is refused."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from llmstep.catalog.model_key import ModelKey
from llmstep.engine import wire
from llmstep.engine.interface import Generation
from llmstep.errors import BusyError, DownloadError, LlmstepError, ModelNotFoundError, NoGoalError, RequestError
from llmstep.http.attended import attended
from llmstep.http.steps import SuggestRequest, decode_candidates
from llmstep.http.streams import line_stream
from llmstep.progress import Progress, ProgressSink
from llmstep.settings import RemoteSettings, Settings
from llmstep.types import Candidate, Goal, Premise, PromptInput, SamplingParams

from .conftest import STATE, Running, running

PREMISE = Premise("A.b", "theorem b : 𝔸")
ASK = PromptInput(Goal(STATE, ("case b\n⊢ 𝔸",)), "exact ", "theorem t : p := by\n", "Foo.t", "intro h", (PREMISE,))
SAMPLING = SamplingParams(7, 0.5, 0.9, 33, 11)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_request_survives_the_wire() -> None:
    body = json.dumps(wire.request_of(ASK, SAMPLING, "abc")).encode()
    assert decode_candidates(body) == SuggestRequest(ASK, sampling=SAMPLING, model_key="abc")
    assert decode_candidates(b'{"goal": "\xe2\x8a\xa2 p"}') == SuggestRequest(PromptInput(Goal("⊢ p")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"goal": " "}, """The field "goal" is ' '."""),
        ({"goal": 3}, 'The field "goal" is 3.'),
        ({"others": "x"}, """The field "others" is 'x'."""),
        ({"others": [1]}, 'The field "others[0]" is 1.'),
        ({"others": ["\ud800"]}, r"""The field "others[0]" is '\ud800'."""),
        ({"premises": "x"}, """The field "premises" is 'x'."""),
        ({"premises": [["a"]]}, 'The field "premises[0]" is a list.'),
        ({"premises": [["a", 1]]}, 'The field "premises[0][1]" is 1.'),
        ({"proof": []}, 'The field "proof" is an empty list.'),
        ({"sampling": []}, 'The field "sampling" is an empty list.'),
        ({"sampling": {"count": 257}}, 'The field "sampling.count" is 257.'),
        ({"sampling": {"count": 2.0}}, 'The field "sampling.temperature" is missing.'),
        (
            {"sampling": {"count": 1, "temperature": float("nan")}},
            'The field "sampling.temperature" is nan.',
        ),
    ],
)
def test_malformed_requests(change: dict[str, Any], message: str) -> None:
    body = json.dumps({**wire.request_of(ASK, SAMPLING, ""), **change}).encode()
    with pytest.raises(RequestError) as caught:
        decode_candidates(body)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("seed", [-1, 1 << 63, "1", True, 1.5])
def test_malformed_seeds(seed: Any) -> None:
    raw = wire.request_of(ASK, SAMPLING, "")
    raw["sampling"]["seed"] = seed
    with pytest.raises(RequestError, match=r'The field "sampling\.seed" is '):
        decode_candidates(json.dumps(raw).encode())


def test_generations_and_errors_survive_the_wire() -> None:
    made = Generation([Candidate("a\n𝔸", -0.5, 3), Candidate("b", None, 0)], "m", 9, 1.5, cached=True)
    line = json.loads(json.dumps(wire.generation_line(made, "cuda")))
    assert (wire.read_generation(line["generation"]), line["device"]) == (made, "cuda")
    for error in (ModelNotFoundError("No.", hint="Do."), BusyError("Busy."), NoGoalError("x"), LlmstepError("y")):
        read = wire.read_error(json.loads(json.dumps(wire.error_line(error)))["error"])
        assert (type(read), read.message, read.hint) == (type(error), error.message, error.hint)


def test_what_two_windows_must_have_in_common(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    key = ModelKey.of(Settings()).digest
    assert key == ModelKey.of(Settings(count=3, temperature=0.1, trigger="onIdle")).digest
    for other in (
        Settings(model="starter"),
        Settings(device="cpu"),
        Settings(dtype="float16"),
        Settings(template="bfs"),
    ):
        assert ModelKey.of(other).digest != key
    assert ModelKey.of(Settings(engine="openai", remote=RemoteSettings(url="http://127.0.0.1:1"))).digest == ""
    monkeypatch.chdir(tmp_path)
    assert ModelKey.of(Settings(model="./m")).digest == ModelKey.of(Settings(model=str(tmp_path / "m"))).digest


@pytest.mark.asyncio(loop_scope="module")
async def test_progress_comes_before_the_end(up: Running) -> None:
    answer = await up.client.post(wire.CANDIDATES, json=wire.request_of(ASK, SAMPLING, ModelKey.of(Settings()).digest))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    first, last = lines(answer.text)
    assert first == {"progress": {"stage": "generate", "message": "Generating", "done": 1, "total": 8}}
    assert last["device"] == "cpu"
    made = wire.read_generation(last["generation"])
    assert [(each.text, each.score, each.tokens) for each in made.candidates] == [
        ("exact omega", -0.25, 3),
        ("exact exact Nat.ne_of_gt h", -0.5, 9),
    ]
    assert up.engine.asked == [(ASK, SAMPLING)]


@pytest.mark.asyncio(loop_scope="module")
async def test_errors_of_the_engine_end_the_lines(up: Running) -> None:
    up.engine.fault = DownloadError("The disk is full.", hint="Make room.")
    answer = await up.client.post(wire.CANDIDATES, json=wire.request_of(ASK, SAMPLING, ""))
    assert lines(answer.text)[-1] == {
        "error": {"code": "download", "message": "The disk is full.", "hint": "Make room."}
    }
    up.engine.fault = RuntimeError("odd")
    answer = await up.client.post(wire.CANDIDATES, json=wire.request_of(ASK, SAMPLING, ""))
    assert lines(answer.text)[-1]["error"]["message"] == "llmstep met an unexpected error: RuntimeError: odd."


@pytest.mark.asyncio(loop_scope="module")
async def test_signs_of_life_while_the_model_works(up: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SECONDS_BETWEEN_SIGNS", 0.01)
    up.engine.hold = asyncio.Event()
    body = wire.request_of(ASK, SAMPLING, "")
    async with up.client.stream("POST", wire.CANDIDATES, json=body) as answer:
        seen = []
        async for line in answer.aiter_lines():
            seen.append(json.loads(line))
            if len(seen) == 4:
                up.engine.hold.set()
    assert seen[1:4] == [{}, {}, {}]
    assert "generation" in seen[-1]


@pytest.mark.asyncio(loop_scope="module")
async def test_closing_the_request_stops_the_model(up: Running) -> None:
    up.engine.hold = asyncio.Event()
    async with up.client.stream("POST", wire.CANDIDATES, json=wire.request_of(ASK, SAMPLING, "")) as answer:
        assert answer.status_code == 200
        await up.engine.runs(1)
    await up.engine.runs(0)
    assert up.engine.cancelled == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_refused(up: Running) -> None:
    body = wire.request_of(ASK, SAMPLING, ModelKey.of(Settings(model="starter")).digest)
    answer = await up.client.post(wire.CANDIDATES, json=body)
    assert (answer.status_code, answer.json()["error"]) == (409, "This llmstep now uses another model.")
    up.server.app.state.settings = Settings(engine="llmstep")
    answer = await up.client.post(wire.CANDIDATES, json=wire.request_of(ASK, SAMPLING, ""))
    assert (answer.status_code, answer.json()["error"]) == (409, "This llmstep forwards its requests to another one.")
    assert up.engine.asked == []
    answer = await up.client.post(wire.CANDIDATES, json={})
    assert (answer.status_code, answer.json()["error"]) == (400, 'The field "goal" is missing.')


async def test_a_server_that_stops_says_so() -> None:
    async with running() as up:
        up.engine.hold = asyncio.Event()
        asking = asyncio.create_task(up.client.post(wire.CANDIDATES, json=wire.request_of(ASK, SAMPLING, "")))
        await up.engine.runs(1)
        await up.server.stop()
        last = lines((await asking).text)[-1]
        assert (last["error"]["code"], last["error"]["message"]) == ("cancelled", "The llmstep server is stopping.")


async def test_the_token_is_wanted() -> None:
    async with running(token="0123456789abcdef") as up:
        body = wire.request_of(ASK, SAMPLING, "")
        assert (await up.client.post(wire.CANDIDATES, json=body)).status_code == 200
        answer = await up.client.post(wire.CANDIDATES, json=body, headers={"Authorization": "Bearer x"})
        assert answer.status_code == 401
        assert len(up.engine.asked) == 1


@pytest.mark.parametrize("ends", ["stopping", "leaving"])
async def test_news_at_the_moment_of_the_end_do_not_keep_a_stream_open(ends: str) -> None:
    stopping, leaving = asyncio.Event(), asyncio.Event()
    sent: list[Any] = []

    async def work(tell: ProgressSink) -> None:
        await asyncio.sleep(0)
        (stopping if ends == "stopping" else leaving).set()
        tell(Progress("generate", "Generating"))
        await asyncio.Event().wait()

    async def receive() -> Any:
        await leaving.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "app": SimpleNamespace(state=SimpleNamespace(stopping=stopping)),
    }
    await asyncio.wait_for(attended(line_stream(work, lambda _: {}), scope, b"", receive, send), 60)
    said = b"".join(message.get("body", b"") for message in sent)
    assert (b"The llmstep server is stopping." in said) == (ends == "stopping")
