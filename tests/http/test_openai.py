"""OpenAI's API with the real engine and the starter: by the `openai` package, by httpx, and by llmstep's own engine."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from llmstep.engine.engine import Engine
from llmstep.engine.remote.openai import OpenAiEngine
from llmstep.settings import RemoteSettings, Settings
from llmstep.types import Goal, PromptInput, SamplingParams

from .starter_up import PROMPT, TOKEN, Up, starter_up

pytestmark = pytest.mark.asyncio(loop_scope="module")
up = starter_up


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
