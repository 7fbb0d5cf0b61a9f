"""OpenAI's API with the real engine and the starter: by the `openai` package, by httpx, and by llmstep's own engine."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import openai
import pytest
import pytest_asyncio
from tiny_models import neox, saved
from waiting import until

from llmstep.decoder.model import Model
from llmstep.engine.engine import Engine
from llmstep.engine.remote.openai import OpenAiEngine
from llmstep.engine.router import EngineRouter
from llmstep.engine.text import Text
from llmstep.http.app import create_app
from llmstep.http.server import HttpServer, serve
from llmstep.settings import HttpSettings, RemoteSettings, Settings
from llmstep.types import Goal, PromptInput, SamplingParams

from .conftest import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT = "[GOAL]p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q[PROOFSTEP]"
TOKEN = "0123456789abcdef"


@attrs.frozen
class Up:
    engine: EngineRouter
    server: HttpServer
    client: openai.AsyncOpenAI
    plain: httpx.AsyncClient


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up() -> AsyncIterator[Up]:
    """The starter behind the endpoint, with a token, and two clients."""
    engine = EngineRouter(Settings(model="starter", device="cpu"))
    server = await serve(create_app(engine, Settings(http=HttpSettings(port=0)), token=TOKEN), "127.0.0.1", 0)
    inner = httpx.AsyncClient(trust_env=False)
    client = openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=TOKEN, http_client=inner, max_retries=0)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=60) as plain:
        yield Up(engine, server, client, plain)
    await client.close()
    await server.stop()
    await engine.close()


async def test_completions(up: Up) -> None:
    made = await up.client.completions.create(
        model="any", prompt=PROMPT, n=5, max_tokens=40, temperature=0.7, logprobs=1, seed=3
    )
    assert (made.object, made.model) == ("text_completion", "starter")
    assert made.id.startswith("cmpl-")
    assert [choice.index for choice in made.choices] == [0, 1, 2, 3, 4]
    assert made.usage is not None
    drawn = 0
    for choice in made.choices:
        assert choice.logprobs is not None
        assert choice.logprobs.tokens is not None
        assert choice.logprobs.token_logprobs is not None
        assert "".join(choice.logprobs.tokens) == choice.text
        assert choice.finish_reason == "stop"
        assert choice.logprobs.tokens[-1] == ""  # the end token
        assert all(logprob <= 0 for logprob in choice.logprobs.token_logprobs)
        offsets = choice.logprobs.text_offset or []
        assert [
            choice.text[start:].startswith(text) for start, text in zip(offsets, choice.logprobs.tokens, strict=True)
        ]
        drawn += len(choice.logprobs.tokens)
    assert made.usage.completion_tokens == drawn
    assert made.usage.total_tokens == drawn + made.usage.prompt_tokens
    assert any(choice.text.strip() == "constructor" or "⟨" in choice.text for choice in made.choices)


async def test_the_same_seed_draws_the_same_and_zero_is_greedy(up: Up) -> None:
    async def texts(**more: Any) -> list[str]:
        made = await up.client.completions.create(model="any", prompt=PROMPT, n=4, max_tokens=30, **more)
        return [choice.text for choice in made.choices]

    assert await texts(seed=9, temperature=1.3) == await texts(seed=9, temperature=1.3)
    greedy = await texts(temperature=0)
    assert len(greedy) == 4
    assert len(set(greedy)) == 1
    assert greedy == await texts(temperature=0)


async def test_stops_and_the_longest_answer(up: Up) -> None:
    made = await up.client.completions.create(
        model="any", prompt="[GOAL]⊢ ∀ p : Prop, p → p[PROOFSTEP]", temperature=0, max_tokens=30, logprobs=0
    )
    text = made.choices[0].text
    assert len(text) > 3
    stop = text[2:4]
    cut = await up.client.completions.create(
        model="any",
        prompt="[GOAL]⊢ ∀ p : Prop, p → p[PROOFSTEP]",
        temperature=0,
        max_tokens=30,
        stop=["∎", stop],
        logprobs=0,
    )
    assert cut.choices[0].text == text[: text.index(stop)]
    assert cut.choices[0].finish_reason == "stop"
    assert cut.choices[0].logprobs is not None
    assert "".join(cut.choices[0].logprobs.tokens or []) == cut.choices[0].text
    short = await up.client.completions.create(
        model="any", prompt="[GOAL]⊢ ∀ p : Prop, p → p[PROOFSTEP]", temperature=0, max_tokens=1
    )
    assert short.choices[0].finish_reason == "length"
    assert short.usage is not None
    assert short.usage.completion_tokens == 1
    assert text.startswith(short.choices[0].text)


async def test_a_stream_has_the_same_samples(up: Up) -> None:
    asked: dict[str, Any] = {"model": "any", "prompt": PROMPT, "n": 4, "max_tokens": 40, "seed": 3, "logprobs": 1}
    whole = await up.client.completions.create(**asked)
    stream = await up.client.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    texts: dict[int, str] = {}
    ends = []
    usage = None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + choice.text
            ends.append(choice.finish_reason)
    assert sorted(texts.values()) == sorted(choice.text for choice in whole.choices)
    assert ends == ["stop"] * 4
    assert usage == whole.usage


async def test_chat(up: Up) -> None:
    """The starter knows no chats: the texts are put one below the other."""
    messages: Any = [
        {"role": "system", "content": "[GOAL]p : Prop"},
        {"role": "user", "content": "h : p\n⊢ p[PROOFSTEP]"},
    ]
    made = await up.client.chat.completions.create(
        model="any", messages=messages, n=2, max_completion_tokens=30, temperature=0, logprobs=True
    )
    assert made.object == "chat.completion"
    assert [choice.message.role for choice in made.choices] == ["assistant", "assistant"]
    plain = await up.client.completions.create(
        model="any", prompt="[GOAL]p : Prop\nh : p\n⊢ p[PROOFSTEP]", max_tokens=30, temperature=0
    )
    assert {choice.message.content for choice in made.choices} == {plain.choices[0].text}
    content = made.choices[0].logprobs.content if made.choices[0].logprobs else None
    assert content
    assert "".join(token.token for token in content) == plain.choices[0].text
    parts: Any = [
        {"role": "user", "content": [{"type": "text", "text": "[GOAL]⊢ True"}, {"type": "text", "text": "[PROOFSTEP]"}]}
    ]
    stream = await up.client.chat.completions.create(
        model="any", messages=parts, temperature=0, max_tokens=20, stream=True
    )
    deltas = [chunk.choices[0].delta async for chunk in stream]
    assert deltas[0].role == "assistant"
    assert deltas[-1].content is None
    plain = await up.client.completions.create(
        model="any", prompt="[GOAL]⊢ True[PROOFSTEP]", max_tokens=20, temperature=0
    )
    assert "".join(delta.content or "" for delta in deltas) == plain.choices[0].text


async def test_models(up: Up) -> None:
    assert [model.id async for model in up.client.models.list()] == ["starter"]
    assert (await up.client.models.retrieve("starter")).object == "model"
    with pytest.raises(openai.NotFoundError, match="no model of that name") as caught:
        await up.client.models.retrieve("meta/other")
    assert caught.value.code == "model_not_found"


async def test_several_prompts_in_one_request(up: Up) -> None:
    prompts = [PROMPT, "[GOAL]⊢ True[PROOFSTEP]"]
    options: dict[str, Any] = {"model": "any", "n": 2, "max_tokens": 30, "temperature": 0}
    made = await up.client.completions.create(prompt=prompts, **options)
    alone = [await up.client.completions.create(prompt=prompt, **options) for prompt in prompts]
    assert [choice.index for choice in made.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in made.choices] == [choice.text for each in alone for choice in each.choices]
    assert made.usage is not None
    assert made.usage.prompt_tokens == sum(each.usage.prompt_tokens for each in alone if each.usage)
    stream = await up.client.completions.create(prompt=prompts, stream=True, **options)
    indices = [choice.index async for chunk in stream for choice in chunk.choices]
    assert sorted(indices) == [0, 1, 2, 3]


async def test_an_assistants_content_may_be_null(up: Up) -> None:
    messages: Any = [
        {"role": "user", "content": "[GOAL]⊢ True[PROOFSTEP]"},
        {"role": "assistant", "content": None},
    ]
    made = await up.client.chat.completions.create(model="any", messages=messages, max_tokens=4)
    assert made.choices


async def test_llmleans_request(up: Up) -> None:
    """The fields that llmlean sends to OpenAI's API, and those it reads: `id`, and `choices` with `message.content`."""
    body = {
        "model": "starter",
        "messages": [{"role": "user", "content": PROMPT}],
        "n": 3,
        "temperature": 0.7,
        "max_tokens": 512,
        "stream": False,
        "stop": ["[/TAC]"],
    }
    headers = {"accept": "application/json", "x-api-key": TOKEN, "anthropic-version": "2023-06-01"}
    answer = await up.plain.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200
    content = answer.json()
    assert isinstance(content["id"], str)
    assert len(content["choices"]) == 3
    assert all(choice["message"]["content"] for choice in content["choices"])


async def test_llmsteps_own_engine_gets_the_candidates_of_the_model_in_process(up: Up) -> None:
    """Prompt, stops, cleaning on this side, the model on the other: the same texts and scores as in one process."""
    remote = RemoteSettings(url=up.server.url + "/v1", api_key_file="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMSTEP_API_KEY", TOKEN)
        far = OpenAiEngine(Settings(engine="openai", remote=remote))
        near = Engine(Settings(model="starter", device="cpu"))
        try:
            assert await far.load() == "starter"
            for prefix in ("", "exact "):
                ask = PromptInput(Goal("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"), prefix)
                sampling = SamplingParams(12, 0.9, max_new_tokens=32, seed=4)
                there, here = await far.generate(ask, sampling), await near.generate(ask, sampling)
                assert [each.text for each in there.candidates] == [each.text for each in here.candidates]
                assert [each.tokens for each in there.candidates] == [each.tokens for each in here.candidates]
                assert [each.score for each in there.candidates] == pytest.approx(
                    [each.score for each in here.candidates], abs=1e-4
                )
                assert (there.model, there.drawn) == ("starter", 12)
        finally:
            await far.close()
            await near.close()


REFUSED: list[tuple[str, dict[str, Any], str | None, str]] = [
    ("completions", {}, "prompt", "The field prompt is missing."),
    ("completions", {"prompt": [1, 2]}, "prompt", "The prompt must be one text."),
    ("completions", {"prompt": []}, "prompt", "The prompt must be one text."),
    ("completions", {"prompt": ["a"] * 20, "n": 20}, "n", "All prompts together get 256 samples at most."),
    ("completions", {"prompt": "a", "logprobs": 5}, "logprobs", "the drawn tokens, without alternatives."),
    (
        "chat/completions",
        {"messages": [{"role": "user", "content": "a"}], "logprobs": True, "top_logprobs": 2},
        "top_logprobs",
        "the drawn tokens, without alternatives.",
    ),
    ("chat/completions", {"messages": [{"role": "user", "content": None}]}, "messages", "The content of a message"),
    ("completions", {"prompt": "a", "seed": 10**30}, "seed", "seed must be a whole number from 0 to"),
    ("completions", {"prompt": "a", "n": 0}, "n", "n must be a whole number from 1 to 256."),
    ("completions", {"prompt": "a", "n": True}, "n", "n must be a whole number from 1 to 256."),
    ("completions", {"prompt": "a", "temperature": "hot"}, "temperature", "temperature must be a number from 0 to 5."),
    ("completions", {"prompt": "a", "stop": [""]}, "stop", "Stops must be texts that are not empty."),
    ("completions", {"prompt": "a", "echo": True}, "echo", "This server does not know echo."),
    ("completions", {"prompt": "a", "best_of": 4}, "best_of", "This server gives all samples that it draws."),
    ("completions", {"prompt": ""}, None, "The prompt is empty."),
    ("completions", {"prompt": "p " * 5000}, None, "This model's maximum context length is"),
    ("chat/completions", {}, "messages", "The field messages is missing."),
    ("chat/completions", {"messages": []}, "messages", "The messages must be a list of objects."),
    ("chat/completions", {"messages": [{"role": "tool", "content": "a"}]}, "messages", "There is no role 'tool' here."),
    ("chat/completions", {"messages": [{"role": "user"}]}, "messages", "The content of a message must be a text."),
    (
        "chat/completions",
        {"messages": [{"role": "user", "content": "a"}], "response_format": {"type": "json_object"}},
        "response_format",
        "This server answers plain text only.",
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
    assert answer.json()["error"]["message"] == "stream must be true or false."


async def test_the_package_raises_its_own_errors(up: Up) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length") as caught:
        await up.client.completions.create(model="any", prompt="p " * 5000)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.AuthenticationError, match="This server wants a token"):
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
    sample = Model.sample
    made: list[Any] = []

    def held(*arguments: Any, **more: Any) -> Any:
        reached.set()
        assert go_on.wait(60)
        made.append(sample(*arguments, **more))
        return made[-1]

    monkeypatch.setattr(Model, "sample", held)
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
