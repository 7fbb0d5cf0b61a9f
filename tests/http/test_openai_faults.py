"""OpenAI's API: what is refused, clients that go, failures and the end of the server."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tiny_models import neox, saved
from waiting import until

from llmstep.decoder.model import Decoder
from llmstep.engine.engine import Engine
from llmstep.engine.interface import Text
from llmstep.engine.router import EngineRouter
from llmstep.http.app import create_app
from llmstep.http.server import serve
from llmstep.settings import RemoteSettings, Settings
from llmstep.types import SamplingParams

from .conftest import running
from .starter_up import PROMPT, Up, starter_up

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")
up = starter_up


REFUSED: list[tuple[str, dict[str, Any], str | None, str]] = [
    ("completions", {}, "prompt", 'The field "prompt" is missing.'),
    ("completions", {"prompt": [1, 2]}, "prompt[0]", "is 1. It must be a text."),
    ("completions", {"prompt": []}, "prompt", "is an empty list. It must be a list that is not empty."),
    ("completions", {"prompt": ["a"] * 20, "n": 20}, "n", "All prompts together get 256 samples at most."),
    ("completions", {"prompt": "a", "logprobs": 5}, "logprobs", "the drawn tokens, without alternatives."),
    ("completions", {"prompt": "a", "top_logprobs": "2"}, "top_logprobs", "the drawn tokens, without alternatives."),
    (
        "chat/completions",
        {"messages": [{"role": "user", "content": "a"}], "logprobs": True, "top_logprobs": 2},
        "top_logprobs",
        "the drawn tokens, without alternatives.",
    ),
    (
        "chat/completions",
        {"messages": [{"role": "user", "content": None}]},
        "messages[0].content",
        "is missing. It must be a text",
    ),
    ("completions", {"prompt": "a", "seed": 10**30}, "seed", "It must be a whole number from 0 to"),
    ("completions", {"prompt": "a", "n": 0}, "n", "is 0. It must be a whole number from 1 to 256."),
    ("completions", {"prompt": "a", "n": True}, "n", "is true. It must be a whole number from 1 to 256."),
    ("completions", {"prompt": "a", "temperature": "hot"}, "temperature", "is 'hot'. It must be a number from 0 to 5."),
    ("completions", {"prompt": "a", "stop": [""]}, "stop[0]", "is ''. It must be a text that is not empty."),
    ("completions", {"prompt": "a", "echo": True}, "echo", "This server does not know echo."),
    ("completions", {"prompt": "a", "best_of": 4}, "best_of", "This server gives all samples that it draws."),
    ("completions", {"prompt": ""}, None, "The prompt is empty."),
    ("completions", {"prompt": "p " * 5000}, None, "This model's maximum context length is"),
    ("chat/completions", {}, "messages", 'The field "messages" is missing.'),
    ("chat/completions", {"messages": []}, "messages", "is an empty list. It must be a list that is not empty."),
    (
        "chat/completions",
        {"messages": [{"role": "tool", "content": "a"}]},
        "messages[0].role",
        "is 'tool'. It must be one of system, developer, user, assistant.",
    ),
    (
        "chat/completions",
        {"messages": [{"role": "user"}]},
        "messages[0].content",
        "is missing. It must be a text or a list.",
    ),
    (
        "chat/completions",
        {"messages": [{"role": "user", "content": "a"}], "response_format": {"type": "json_object"}},
        "response_format.type",
        "is 'json_object'. It must be text.",
    ),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "body", "param", "message"), REFUSED)
async def test_refusals_have_openais_form(
    up: Up, path: str, body: dict[str, Any], param: str | None, message: str, stream: bool
) -> None:
    answer = await up.plain.post(f"/v1/{path}", json={**body, "stream": stream})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert message in error["message"]
    code = "context_length_exceeded" if "context length" in message else "request"
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


@pytest.mark.parametrize("stream", ["false", 1, [], "true"])
async def test_stream_is_true_or_false(up: Up, stream: Any) -> None:
    answer = await up.plain.post("/v1/completions", json={"prompt": "a", "stream": stream})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].endswith(" It must be true or false.")


async def test_the_package_raises_its_own_errors(up: Up) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length") as caught:
        await up.client.completions.create(model="any", prompt="p " * 5000)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.AuthenticationError, match="This server needs a token"):
        await up.client.with_options(api_key="wrong").completions.create(model="any", prompt="p")
    with pytest.raises(openai.NotFoundError, match="There is no /v1/embeddings here"):
        await up.client.embeddings.create(model="any", input="p")
    answer = await up.plain.get("/v1/completions")
    assert (answer.status_code, answer.json()["error"]["type"]) == (405, "invalid_request_error")
    answer = await up.plain.post("/v1/completions", content="{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, None)
    answer = await up.plain.post("/v1/completions", content="{}", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "refused")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_stops_the_model(up: Up, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    await up.client.completions.create(model="any", prompt=PROMPT, max_tokens=1)  # it is loaded
    reached, go_on = threading.Event(), threading.Event()
    sample = Decoder.sample
    made: list[Any] = []

    def held(*arguments: Any, **more: Any) -> Any:
        reached.set()
        assert go_on.wait(60)
        made.append(sample(*arguments, **more))
        return made[-1]

    monkeypatch.setattr(Decoder, "sample", held)
    asking = asyncio.ensure_future(up.plain.post("/v1/completions", json={"prompt": PROMPT, "stream": stream}))
    assert await asyncio.to_thread(reached.wait, 60)
    asking.cancel()
    await until(lambda: not up.server.app.state.admission.running)
    go_on.set()
    await until(lambda: up.engine.status.state == "idle")
    assert made == []
    again = await up.client.completions.create(model="any", prompt=PROMPT, max_tokens=4)
    assert again.choices[0].text


async def test_with_the_model_at_another_server_the_client_is_sent_there(up: Up) -> None:
    remote = RemoteSettings(url="http://127.0.0.1:9/v1", model="some")
    settings = Settings(engine="openai", remote=remote)
    engine = EngineRouter(settings)
    server = await serve(create_app(engine, settings), "127.0.0.1", 0)
    try:
        answer = await up.plain.post(server.url + "/v1/completions", json={"prompt": "a"})
        assert answer.status_code == 400
        assert "The model of this llmstep is at another server." in answer.json()["error"]["message"]
    finally:
        await server.stop()
        await engine.close()


async def test_an_unexpected_failure_and_the_end_of_the_server_are_told() -> None:
    async with running() as it:

        async def fail(*_: Any, **__: Any) -> None:
            raise ZeroDivisionError("by zero")

        it.engine.complete = fail  # type: ignore[attr-defined]
        for stream in (False, True):
            answer = await it.client.post("/v1/completions", json={"prompt": "a", "stream": stream})
            assert answer.status_code == 500
            assert answer.json()["error"]["type"] == "server_error"
            assert "ZeroDivisionError: by zero" in answer.json()["error"]["message"]

        async def hang(*_: Any, **__: Any) -> None:
            await asyncio.Event().wait()

        it.engine.complete = hang  # type: ignore[attr-defined]
        asking = [
            asyncio.ensure_future(it.client.post("/v1/completions", json={"prompt": "a", "stream": stream}))
            for stream in (False, True)
        ]
        await until(lambda: it.server.app.state.admission.running == 2)
        await it.server.stop()
        for answer in await asyncio.gather(*asking):
            assert answer.status_code == 503
            assert "The llmstep server is stopping." in answer.json()["error"]["message"]


@pytest.fixture(scope="module")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-NeoX whose tokens are bytes, with a rule for chats."""
    from transformers import ByT5Tokenizer

    tokenizer = ByT5Tokenizer()
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    model = neox(hidden_size=16, num_hidden_layers=1, intermediate_size=16, initializer_range=0.02)
    return saved(model, tmp_path_factory.mktemp("chat") / "llmstep-chat", tokenizer)


def without_rule(folder: Path, copy: Path) -> Path:
    """A copy of a model whose tokenizer has no rule for chats."""
    shutil.copytree(folder, copy)
    (copy / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((copy / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    return copy


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("", "<system>Be brief.<user>Hi ∀"),
        ("internlm-plus", "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi ∀<|im_end|>\n"),
    ],
)
async def test_how_a_chat_is_written(chatting: Path, template: str, prompt: str, tmp_path: Path) -> None:
    """By the tokenizer's rule; without one, in turns for a template that is made of turns."""
    folder = without_rule(chatting, tmp_path / "plain") if template else chatting
    engine = Engine(Settings(model=str(folder), template=template, device="cpu"))
    try:
        text = Text(messages=(("system", "Be brief."), ("user", "Hi ∀")))
        made = await engine.complete(text, SamplingParams(1, 0.0, max_new_tokens=3))
        end = "<|im_start|>assistant\n" if template else "<assistant>"
        special = 1 if template else 0  # the end token that this tokenizer adds to plain texts
        assert made.prompt_tokens == len((prompt + end).encode()) + special
    finally:
        await engine.close()
