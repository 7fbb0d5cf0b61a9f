"""Clients that know nothing of llmstep's additions: the first llmstep's, LeanCopilot's, and those of Ollama."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from llmstep.catalog.templates import get_template
from llmstep.engine.engine import Engine
from llmstep.engine.postprocess import RawSample, finish
from llmstep.http.app import create_app
from llmstep.http.server import serve
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput

from .conftest import BODY, STATE, TOKEN, Running, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_password_counts_as_the_token() -> None:
    async with running("127.0.0.1", {"ada": TOKEN}) as it:
        url = f"http://anything:{TOKEN}@127.0.0.1:{it.server.port}/"
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            assert (await client.post(url, json=BODY)).status_code == 200
            for wrong in (f":{TOKEN}x", TOKEN, f"{TOKEN}:", ":", "x"):
                given = {"Authorization": "Basic " + base64.b64encode(wrong.encode()).decode()}
                assert (await client.post(it.server.url, json=BODY, headers=given)).status_code == 401
            for broken in ("Basic", "Basic !!", "Basic \xff"):
                given_raw = {b"Authorization": broken.encode("latin-1")}
                assert (await client.post(it.server.url, json=BODY, headers=given_raw)).status_code == 401


async def test_what_old_clients_show_without_a_token() -> None:
    """The first llmstep joins `suggestions`, LeanCopilot reads `outputs`, and neither looks at the status."""
    async with (
        running("127.0.0.1", TOKEN) as it,
        httpx.AsyncClient(base_url=it.server.url, trust_env=False, timeout=60) as client,
    ):
        shown = "[SUGGESTION]".join((await client.post("/", json=BODY)).json()["suggestions"])
        assert shown.startswith("-- llmstep: This server needs a token. ")
        asked = {"name": "m", "input": STATE, "prefix": ""}
        outputs = (await client.post("/generate", json=asked)).json()["outputs"]
        assert [(each["output"], each["score"]) for each in outputs] == [(shown, 0.0)]


@pytest.mark.parametrize(
    "state", ["no goals", " no goals\n", "No goals", "Goals accomplished! 🎉", "no goals to be proved."]
)
async def test_where_nothing_is_left_nothing_is_guessed(up: Running, state: str) -> None:
    answer = (await up.client.post("/", json={**BODY, "tactic_state": state})).json()
    assert (answer["suggestions"], answer["scores"], answer["model"]) == ([], [], "scripted")
    answer = (await up.client.post("/generate", json={"name": "m", "input": state, "prefix": ""})).json()
    assert answer == {"outputs": []}
    lines = (await up.client.post("/candidates", json={"goal": state})).text.splitlines()
    assert json.loads(lines[-1])["generation"]["candidates"] == []
    assert up.engine.asked == []


async def test_a_goal_is_no_step() -> None:
    texts = ["simp", "n : Nat\n⊢ n = n", "⊢ p", "intro h\n  ⊢ p", "\u00a0⊢ p", "simp at h ⊢", "rw [h] at h₁ ⊢\nsimp"]
    made = finish(get_template("pythia"), PromptInput(Goal("⊢ p")), [RawSample(text, -1.0, 2) for text in texts])
    assert {each.text for each in made} == {"simp", "simp at h ⊢", "rw [h] at h₁ ⊢\nsimp"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def starter() -> AsyncIterator[httpx.AsyncClient]:
    engine = Engine(Settings(model="starter", device="cpu"))
    server = await serve(create_app(engine, Settings()), "127.0.0.1", 0)
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
        yield client
    await server.stop()
    await engine.close()


PROMPT = "[GOAL]p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q[PROOFSTEP]"


async def test_ollamas_generate_as_llmlean_asks(starter: httpx.AsyncClient) -> None:
    options = {"temperature": 0, "stop": ["[/TAC]"], "num_predict": 100, "num_ctx": 2048}
    body = {"model": "wellecks/ntpctx-llama3-8b", "prompt": PROMPT, "stream": False, "options": options}
    answer = await starter.post("/api/generate", json=body)
    content = answer.json()
    assert (answer.status_code, content["done"], content["model"]) == (200, True, "starter")
    assert content["response"]
    assert content["done_reason"] == "stop"
    assert content["eval_count"] > 0
    openai = {"prompt": PROMPT, "temperature": 0, "max_tokens": 100}
    assert (await starter.post("/v1/completions", json=openai)).json()["choices"][0]["text"] == content["response"]
    streamed = await starter.post("/api/generate", json={**body, "stream": True})
    lines = [json.loads(line) for line in streamed.text.splitlines()]
    assert "".join(line["response"] for line in lines) == content["response"]
    assert [line["done"] for line in lines] == [False, True]
    assert streamed.headers["content-type"] == "application/x-ndjson"


async def test_ollamas_clients_need_name_no_content_type(starter: httpx.AsyncClient) -> None:
    """litellm sends none; a web page, which can leave it out as well, still has an origin."""
    body = json.dumps({"prompt": PROMPT, "stream": False, "options": {"temperature": 0}}).encode()
    assert (await starter.post("/api/generate", content=body)).json()["response"]
    assert (await starter.post("/v1/completions", content=body)).status_code == 415
    plain = {"Content-Type": "text/plain"}
    assert (await starter.post("/api/generate", content=body, headers=plain)).status_code == 415
    page = {"Origin": "http://evil.example"}
    assert (await starter.post("/api/generate", content=body, headers=page)).status_code == 403


async def test_ollamas_chat_and_lists(starter: httpx.AsyncClient) -> None:
    body = {"messages": [{"role": "user", "content": PROMPT}], "stream": False, "options": {"temperature": 0}}
    content = (await starter.post("/api/chat", json=body)).json()
    assert content["message"]["role"] == "assistant"
    assert content["message"]["content"]
    assert [each["name"] for each in (await starter.get("/api/tags")).json()["models"]] == ["starter"]
    assert (await starter.get("/api/version")).json()["version"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("generate", {"prompt": 3}, 'The field "prompt" is 3. It must be a text.'),
        ("generate", {"prompt": "a", "options": []}, 'The field "options" is an empty list. It must be an object.'),
        (
            "generate",
            {"prompt": "a", "options": {"temperature": 9}},
            'The field "options.temperature" is 9. It must be a number from 0 to 5.',
        ),
        ("generate", {"prompt": "a", "images": ["x"]}, "This server does not know images. Leave it out."),
        ("generate", {"prompt": "a", "format": "json"}, "This server answers plain text only. Leave format out."),
        ("chat", {}, 'The field "messages" is missing. It must be a list that is not empty.'),
        ("nothing", {}, "There is no /api/nothing here. GET /openapi.json lists"),
    ],
)
async def test_refusals_have_ollamas_form(up: Running, path: str, body: dict[str, Any], message: str) -> None:
    answer = await up.client.post(f"/api/{path}", json=body)
    assert answer.status_code in (400, 404)
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(message)


async def test_what_is_too_long_loses_its_beginning(starter: httpx.AsyncClient) -> None:
    """Ollama's clients rely on that, and so does llmlean, which sends the whole file between `[CTX]` and `[/CTX]`."""
    filler = "theorem filler (a b c : Nat) : a + b + c = c + b + a := by omega\n" * 400
    long = {"prompt": filler + PROMPT, "stream": False, "options": {"temperature": 0, "num_predict": 20}}
    content = (await starter.post("/api/generate", json=long)).json()
    assert content["prompt_eval_count"] < 2048
    assert content["done"]
    instruction = "/- Put the next tactic inside [TAC]...[/TAC], the file is inside [CTX]...[/CTX] -/\n"
    llmlean = f"{instruction}[CTX]\n{filler}\n[/CTX]\n[STATE]\n⊢ True\n[/STATE]\n[TAC]\n"
    for path, asked in (
        ("/v1/completions", {"prompt": llmlean, "max_tokens": 10}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": llmlean}], "max_tokens": 10}),
    ):
        answer = await starter.post(path, json=asked)
        assert answer.status_code == 200, answer.text
        assert 200 < answer.json()["usage"]["prompt_tokens"] < 2048
