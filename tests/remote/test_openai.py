"""What an OpenAI-compatible server is asked, and what becomes of its answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from llmstep.catalog.templates import get_template
from llmstep.errors import CancelledError, ModelError, ModelNotFoundError

from .asks import ASK, SIX, scored
from .conftest import MODEL, FakeServer, engine_for

if TYPE_CHECKING:
    from llmstep.progress import Progress

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_completions(fake: FakeServer) -> None:
    async with engine_for(fake.settings()) as engine:
        answer = await engine.generate(ASK, SIX)
    [asked] = fake.asked
    assert asked.path == "/v1/completions"
    assert asked.body == {
        "model": MODEL,
        "prompt": "[GOAL]n : Nat\nh : 0 < n\n⊢ n ≠ 0[PROOFSTEP]",
        "n": 6,
        "max_tokens": 50,
        "temperature": 0.8,
        "top_p": 0.95,
        "stream": True,
        "logprobs": 1,
        "seed": 3,
    }
    assert "authorization" not in asked.headers
    assert scored(answer) == [("rfl", -0.5), ("simp [h]", -0.5), ("omega", -0.5)]
    assert {each.tokens for each in answer.candidates} == {2}
    assert (answer.model, answer.drawn, answer.cached) == (MODEL, 6, False)


async def test_stops_and_a_prefix(fake: FakeServer) -> None:
    fake.texts = [" h\n[/TAC] more", " (by simp)[/TAC]"]
    settings = attrs.evolve(fake.settings(), template="ntp-st")
    async with engine_for(settings) as engine:
        answer = await engine.generate(attrs.evolve(ASK, prefix="exact"), SIX)
    [asked] = fake.asked
    assert asked.body["prompt"].endswith("\n[TAC]\nexact")
    assert asked.body["stop"] == ["[/TAC]", "\n\n\n", "---"]
    assert [each.text for each in answer.candidates] == ["exact h", "exact (by simp)"]


async def test_a_template_with_two_prompts_makes_two_requests_and_merges(fake: FakeServer) -> None:
    fake.texts = ["omega\n---", "omega\n---", "omega\n---", " simp [h]\n  rfl", " omega\n", " rfl"]
    fake.obeys_stop = False
    settings = attrs.evolve(fake.settings(), template="llemma")
    ask = attrs.evolve(ASK, context="theorem t : n ≠ 0 := by\n  ")
    async with engine_for(settings) as engine:
        answer = await engine.generate(ask, SIX)
        assert (await engine.generate(ask, SIX)).cached
    first, second = fake.asked
    assert first.body["prompt"] == get_template("llemma-fewshot").prompt(ask)
    assert second.body["prompt"] == "theorem t : n ≠ 0 := by\n "
    assert first.body["stop"] == second.body["stop"] == ["---", "\n"]
    assert (first.body["n"], second.body["n"], answer.drawn) == (3, 3, 6)
    assert [each.text for each in answer.candidates] == ["omega", "simp [h]", "rfl"]


async def test_chat_with_a_template_made_of_turns(fake: FakeServer) -> None:
    fake.texts = ["Here is the predicted next tactic:\n```lean\nomega\n```"]
    settings = attrs.evolve(fake.settings(api="chat"), template="internlm-plus")
    async with engine_for(settings) as engine:
        answer = await engine.generate(ASK, SIX)
    [asked] = fake.asked
    assert asked.path == "/v1/chat/completions"
    state = ASK.goal.state
    assert asked.body["messages"] == [
        {
            "role": "user",
            "content": f"My LEAN 4 state is:\n```lean\n{state}```\n"
            "Please predict a possible tactic to help me prove the theorem.",
        }
    ]
    assert asked.body["logprobs"] is True
    assert scored(answer) == [("omega", -0.5)]


async def test_a_chat_model_that_no_catalog_knows_is_instructed(fake: FakeServer) -> None:
    fake.texts = ["<think>hm</think>```lean\nsimp at h\nomega\n```\nThis works because", "exact h", "rfl"]
    async with engine_for(fake.settings(api="chat", model="qwen")) as engine:
        answer = await engine.generate(attrs.evolve(ASK, prefix="simp"), SIX)
    [asked] = fake.asked
    [message] = asked.body["messages"]
    assert message["role"] == "user"
    assert ASK.goal.state in message["content"]
    assert message["content"].endswith("\nYour answer must begin with these characters: simp")
    assert [each.text for each in answer.candidates] == ["simp at h\nomega"]  # the others begin otherwise
    assert answer.drawn == 6


async def test_auto_takes_chat_where_there_are_no_completions(fake: FakeServer) -> None:
    fake.has.discard("/v1/completions")
    async with engine_for(attrs.evolve(fake.settings(), template="internlm-plus")) as engine:
        assert (await engine.generate(ASK, SIX)).drawn == 6
        await engine.generate(ASK, attrs.evolve(SIX, seed=4))
    assert [each.path.rpartition("v1")[2] for each in fake.asked] == [
        "/completions",
        "/chat/completions",
        "/chat/completions",  # once is enough to know
    ]


async def test_the_first_model_that_the_server_lists(fake: FakeServer) -> None:
    async with engine_for(fake.settings(model="")) as engine:
        assert (await engine.generate(ASK, SIX)).model == MODEL
        await engine.generate(ASK, attrs.evolve(SIX, seed=4))
        assert await engine.load() == MODEL
    assert [each.path for each in fake.asked] == ["/v1/models", "/v1/completions", "/v1/completions", "/v1/models"]
    fake.models = {"object": "list", "data": []}
    async with engine_for(fake.settings(model="")) as engine:
        with pytest.raises(ModelNotFoundError, match="does not say which models it has"):
            await engine.generate(ASK, SIX)


async def test_templates(fake: FakeServer) -> None:
    async with engine_for(fake.settings(model="ByteDance-Seed/BFS-Prover-V2-7B")) as engine:
        await engine.generate(ASK, SIX)
        assert fake.asked[-1].body["prompt"] == f"{ASK.goal.state}:::"
        engine.store.change(fake.settings(model="something"))
        with pytest.raises(ModelError, match="prompt template of the model something is not known"):
            await engine.generate(ASK, SIX)
        engine.store.change(attrs.evolve(fake.settings(), template="byt5-state"))
        with pytest.raises(ModelError, match="for encoder-decoder models"):
            await engine.generate(ASK, SIX)


async def test_greedy_is_one_sample(fake: FakeServer) -> None:
    async with engine_for(fake.settings()) as engine:
        answer = await engine.generate(ASK, attrs.evolve(SIX, temperature=0))
    assert [each.body["n"] for each in fake.asked] == [1]
    assert answer.drawn == 1


# --- cache, company, cancellation, progress


async def test_the_same_question_is_asked_once(fake: FakeServer) -> None:
    fake.hold = asyncio.Event()
    async with engine_for(fake.settings()) as engine:
        both = [asyncio.create_task(engine.generate(ASK, SIX)) for _ in range(2)]
        await fake.until(lambda: fake.open == 1)
        both[0].cancel()
        await asyncio.wait([both[0]])
        fake.hold.set()
        answer = await both[1]
        again = await engine.generate(ASK, SIX)
    assert (answer.cached, again.cached) == (False, True)
    assert again.candidates == answer.candidates
    assert len(fake.asked) == 1


async def test_cancelling_closes_the_request(fake: FakeServer) -> None:
    fake.hold = asyncio.Event()
    async with engine_for(fake.settings()) as engine:
        task = asyncio.create_task(engine.generate(ASK, SIX))
        await fake.until(lambda: fake.open == 1)
        assert engine.status.state == "generating"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert engine.status.state == "idle"
        await fake.until(lambda: fake.open == 0)
        assert fake.closed_early == 1
        fake.hold = None
        assert (await engine.generate(ASK, SIX)).drawn == 6  # nothing of it is left


async def test_cancelling_closes_all_of_several_requests(fake: FakeServer) -> None:
    fake.refuses = {"n": "n must be 1"}
    async with engine_for(fake.settings()) as engine:
        await engine.generate(ASK, attrs.evolve(SIX, count=2))  # learns it
        fake.hold = asyncio.Event()
        task = asyncio.create_task(engine.generate(ASK, SIX))
        await fake.until(lambda: fake.open == 4)
        task.cancel()
        await asyncio.wait([task])
        await fake.until(lambda: fake.open == 0)
    assert fake.closed_early == 4


async def test_closing_the_engine_ends_requests(fake: FakeServer) -> None:
    fake.hold = asyncio.Event()
    async with engine_for(fake.settings()) as engine:
        task = asyncio.create_task(engine.generate(ASK, SIX))
        await fake.until(lambda: fake.open == 1)
    with pytest.raises(CancelledError, match="The engine was closed"):
        await task


async def test_progress_and_status(fake: FakeServer) -> None:
    seen: list[Progress] = []
    states: list[Any] = []
    async with engine_for(fake.settings()) as engine:
        engine.watch(states.append)
        await engine.generate(ASK, SIX, progress=seen.append)
        await fake.until(lambda: states and states[-1].state == "idle")
        assert [(each.stage, each.done, each.total) for each in seen] == [("generate", 1, 50)]
        assert [(each.state, each.model) for each in states][-1] == ("idle", MODEL)
        assert "generating" in [each.state for each in states]
        assert (engine.status.engine, engine.status.url) == ("openai", fake.url)
        assert engine.status.last_ms is not None
        assert engine.status.last_ms > 0
