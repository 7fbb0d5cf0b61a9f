"""Chat and reasoning models at a server: who writes the turns, thoughts in fields of their own, budgets, endings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from starlette.responses import JSONResponse, StreamingResponse

from llmstep.engine.remote.questions import Page, Question
from llmstep.engine.remote.samples import Incoming
from llmstep.types import Goal, PromptInput, SamplingParams

from .conftest import engine_for
from .test_ollama import _there, there
from .test_ollama import engine_for as ollama_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from llmstep.settings import Settings

    from .conftest import FakeServer
    from .test_ollama import Ollama

__all__ = ["_there", "there"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = PromptInput(Goal("n : Nat\n⊢ n = n"))
TWO = SamplingParams(2, 0.7, 1.0, 16, 3)


def chat(fake: FakeServer, **changes: Any) -> Settings:
    return attrs.evolve(fake.settings(model="a-chat-model"), template="instruct", **changes)


def whole(*messages: dict[str, Any], finish: str = "stop") -> Response:
    choices = [{"index": n, "message": said, "finish_reason": finish} for n, said in enumerate(messages)]
    return JSONResponse({"choices": choices})


async def test_the_server_writes_the_turns_where_it_can(fake: FakeServer) -> None:
    async with engine_for(chat(fake, max_thinking_tokens=100, thinking_effort="low")) as engine:
        await engine.generate(ASK, TWO)
    [asked] = fake.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body["max_tokens"] == 116
    assert asked.body["reasoning_effort"] == "low"
    assert "chat_template_kwargs" not in asked.body
    assert "<|im_start|>" not in json.dumps(asked.body)


async def test_a_model_is_asked_not_to_think_and_fields_that_a_server_refuses_are_left_out(fake: FakeServer) -> None:
    fake.refuses = {
        "chat_template_kwargs": "Unrecognized request argument supplied: chat_template_kwargs",
        "reasoning_effort": "reasoning_effort is not supported by this model",
    }
    async with engine_for(chat(fake, max_thinking_tokens=0, thinking_effort="high")) as engine:
        assert (await engine.generate(ASK, TWO)).drawn == 2
    first, *_, last = fake.asked
    assert first.body["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False}
    assert first.body["max_tokens"] == 16
    assert not {"chat_template_kwargs", "reasoning_effort"} & set(last.body)


async def test_a_server_without_chats_gets_turns_of_the_common_kind(fake: FakeServer) -> None:
    fake.has.discard("/v1/chat/completions")
    async with engine_for(chat(fake)) as engine:
        await engine.generate(ASK, TWO)
    assert [each.path for each in fake.asked] == ["/v1/chat/completions", "/v1/completions"]
    assert fake.asked[-1].body["prompt"].startswith("<|im_start|>user\n")


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_a_thought_in_a_field_is_no_step(fake: FakeServer, field: str) -> None:
    answers = whole({"content": "rfl", field: "simp?"}, {"content": None, field: "by reflexivity"}, finish="length")
    fake.faults = [lambda: answers]
    async with engine_for(chat(fake)) as engine:
        answer = await engine.generate(ASK, TWO)
    assert [each.text for each in answer.candidates] == ["rfl"]
    assert answer.endings == (
        "2 cut off at the limit of tokens, 1 with a thought and no step (raise llmstep.maxThinkingTokens)"
    )


async def test_thoughts_in_a_stream(fake: FakeServer) -> None:
    def events() -> Iterator[str]:
        said: list[dict[str, Any]] = [
            {"delta": {"reasoning_content": "simp?"}, "logprobs": {"content": [{"token": "s", "logprob": -9.0}]}},
            {"delta": {"content": "rfl"}, "logprobs": {"content": [{"token": "r", "logprob": -0.5}]}},
            {"delta": {}, "finish_reason": "stop"},
        ]
        for index in range(2):
            for each in said:
                yield f"data: {json.dumps({'choices': [{'index': index, **each}]})}\n\n"
        yield "data: [DONE]\n\n"

    fake.faults = [lambda: StreamingResponse(events(), media_type="text/event-stream")]
    async with engine_for(chat(fake)) as engine:
        answer = await engine.generate(ASK, TWO)
    assert [(each.text, each.score) for each in answer.candidates] == [("rfl", -0.5)]
    assert answer.endings == ""


async def test_the_budget_of_a_step_is_apart_from_that_of_a_thought() -> None:
    def piece(text: str) -> str:
        return "data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]})

    page = Page("/x", lambda *_: {})
    question = Question(model="m", page=page, said={}, sampling=TWO, max_tokens=64, context=128, step_tokens=4)
    long_thought = Incoming(question, 1)
    for text in ("<think>", *("hm " * 20).split(" "), "</think>", "a", "b", "c", "d"):
        long_thought.event(piece(text or " "))
    assert not long_thought.enough
    for text in ("e", "f"):
        long_thought.event(piece(text))
    assert long_thought.enough
    [sample] = long_thought.samples()
    assert sample.cut
    babble = Incoming(question, 1)
    for text in "abcdef":
        babble.event(piece(text))
    assert babble.enough


async def test_ollama_writes_the_turns_of_a_chat(there: Ollama) -> None:
    async with ollama_engine(there.url, "llama3.2:latest") as engine:
        engine.store.change(attrs.evolve(engine.settings, template="instruct", max_thinking_tokens=0))
        await engine.generate(ASK, TWO)
    bodies = [body for path, body in there.asked if path == "/api/generate"]
    assert all(body["prompt"].startswith("This is the state") and "raw" not in body for body in bodies)
    assert {body["think"] for body in bodies} == {False}
