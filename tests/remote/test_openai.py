"""What an OpenAI-compatible server is asked, what becomes of its answers, and servers that do less than that."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from llmstep.catalog.templates import get_template
from llmstep.errors import CancelledError, ModelError, ModelNotFoundError
from llmstep.types import Goal, PromptInput, SamplingParams

from .conftest import MODEL, FakeServer, engine_for

if TYPE_CHECKING:
    from llmstep.engine.interface import Generation
    from llmstep.progress import Progress

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = PromptInput(Goal("n : Nat\nh : 0 < n\n⊢ n ≠ 0", ("case b\n⊢ True",)))
SIX = SamplingParams(6, 0.8, 0.95, 50, 3)


def scored(answer: Generation) -> list[tuple[str, float | None]]:
    return [(each.text, each.score) for each in answer.candidates]


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


# --- servers that do not do all that is asked


async def test_n_is_ignored(fake: FakeServer) -> None:
    fake.obeys_n = False
    async with engine_for(fake.settings()) as engine:
        answer = await engine.generate(ASK, SIX)
        assert (answer.drawn, len(answer.candidates)) == (6, 3)
        assert [each.body["n"] for each in fake.asked] == [6, 1, 1, 1, 1, 1]
        assert sorted(each.body["seed"] for each in fake.asked) == [3, 4, 5, 6, 7, 8]
        await engine.generate(ASK, attrs.evolve(SIX, count=2, seed=20))
    assert [each.body["n"] for each in fake.asked[6:]] == [1, 1]


@pytest.mark.parametrize("pieces", [1, 3])
async def test_samples_that_cannot_be_told_apart_are_dropped_and_asked_for_one_by_one(
    fake: FakeServer, pieces: int
) -> None:
    """LiteLLM's gateway gives every streamed sample the number 0."""
    fake.numbers_all_zero = True
    fake.pieces = pieces
    fake.texts = ["rfl", "simp [h]"]
    async with engine_for(fake.settings()) as engine:
        answer = await engine.generate(ASK, SIX)
        assert (answer.drawn, {each.text for each in answer.candidates}) == (6, {"rfl", "simp [h]"})
        await engine.generate(ASK, attrs.evolve(SIX, count=2, seed=20))
    assert [each.body["n"] for each in fake.asked] == [6, *[1] * 8]


@pytest.mark.parametrize(
    "said",
    [
        "Field 'n': Value must be between 1 <= value <= 4, but got {n}",
        "n must be at most 4",
        "n: Input should be less than or equal to 4",
    ],
)
async def test_the_most_samples_that_a_server_names_are_asked_for(fake: FakeServer, said: str) -> None:
    fake.most, fake.says_most = 4, said
    async with engine_for(fake.settings()) as engine:
        assert (await engine.generate(ASK, SIX)).drawn == 6
        await engine.generate(ASK, attrs.evolve(SIX, count=9, seed=20))
    assert [each.body["n"] for each in fake.asked] == [6, 4, 2, 4, 4, 1]


async def test_servers_that_are_asked_for_one_sample_are_told_to_sample(fake: FakeServer) -> None:
    """`transformers serve` decodes greedily otherwise; one that does not know the field refuses it once."""
    fake.obeys_n = False
    async with engine_for(fake.settings()) as engine:
        await engine.generate(ASK, attrs.evolve(SIX, count=3))
        told = [json.loads(each.body["generation_config"]) for each in fake.asked[1:]]
        assert told == [{"do_sample": True, "top_k": 0}] * 2
        fake.refuses = {"generation_config": "Unknown field: generation_config"}
        assert (await engine.generate(ASK, attrs.evolve(SIX, count=2, seed=30))).drawn == 2
        before = len(fake.asked)
        await engine.generate(ASK, attrs.evolve(SIX, count=2, seed=40))
        await engine.generate(ASK, attrs.evolve(SIX, temperature=0))
    assert not any("generation_config" in each.body for each in fake.asked[before:])


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("n", "Only one completion choice is allowed"),
        ("n", "n must be 1"),
        ("logprobs", "Unexpected fields in the request: {'logprobs'}"),
        ("seed", "Unrecognized request argument supplied: seed"),
        ("max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model."),
        ("top_p", "top_p is fixed at 1"),
    ],
)
async def test_fields_that_are_refused(fake: FakeServer, field: str, said: str, status: int) -> None:
    fake.refuses = {field: said}
    async with engine_for(fake.settings()) as engine:
        answer = await engine.generate(ASK, SIX)
        assert answer.drawn == 6
        await engine.generate(ASK, attrs.evolve(SIX, count=1, seed=9))
    assert field in fake.asked[0].body
    assert all(field not in each.body for each in fake.asked[1:])
    if field == "max_tokens":
        assert all(each.body["max_completion_tokens"] == 50 for each in fake.asked[1:])


async def test_without_logprobs_candidates_have_no_score_and_keep_their_order(fake: FakeServer) -> None:
    fake.logprobs = False
    async with engine_for(fake.settings()) as engine:
        answer = await engine.generate(ASK, SIX)
    assert scored(answer) == [("rfl", None), ("simp [h]", None), ("omega", None)]


async def test_a_server_that_does_not_stream(fake: FakeServer) -> None:
    fake.streams = False
    async with engine_for(attrs.evolve(fake.settings(), template="bfs")) as engine:
        assert scored(await engine.generate(ASK, SIX)) == [("rfl", -0.5), ("simp [h]", -0.5), ("omega", -0.5)]
        engine.store.change(attrs.evolve(fake.settings(api="chat"), template="instruct"))
        assert scored(await engine.generate(ASK, SIX)) == [("rfl", -0.5), ("simp [h]", -0.5), ("omega", -0.5)]


async def test_a_stream_without_its_last_word(fake: FakeServer) -> None:
    """`transformers serve` sends no [DONE]; the reasons for which the samples end are enough."""
    fake.says_done = False
    async with engine_for(fake.settings()) as engine:
        assert (await engine.generate(ASK, SIX)).drawn == 6
    assert len(fake.asked) == 1


async def test_stops_that_are_not_obeyed_end_the_request(fake: FakeServer) -> None:
    fake.obeys_stop = False
    fake.pieces = 4
    fake.hold = asyncio.Event()  # what stands behind the stop never comes
    fake.texts = ["simp[/TAC] " + "x" * 40]
    async with engine_for(attrs.evolve(fake.settings(), template="ntp-st")) as engine:
        answer = await engine.generate(ASK, attrs.evolve(SIX, count=1))
        assert [each.text for each in answer.candidates] == ["simp"]
        await fake.until(lambda: fake.open == 0)
    assert fake.closed_early == 1


async def test_a_prompt_that_is_too_long_for_the_server_is_cut(fake: FakeServer) -> None:
    fake.longest_prompt = 4000
    hypotheses = [f"h{i} : a_rather_long_name_{i} < {i}" for i in range(400)]
    ask = PromptInput(Goal("\n".join([*hypotheses, "⊢ False"])))
    async with engine_for(fake.settings()) as engine:
        answer = await engine.generate(ask, SIX)
        assert answer.drawn == 6
        prompts = [each.body["prompt"] for each in fake.asked]
        assert [len(prompt) > 4000 for prompt in prompts] == [True] * (len(prompts) - 1) + [False]
        assert prompts[-1].endswith("⊢ False[PROOFSTEP]")
        assert f"\n{hypotheses[-1]}\n" in prompts[-1]  # the nearest to the goal stay
        await engine.generate(attrs.evolve(ask, proof="x"), attrs.evolve(SIX, seed=8))
        assert len(fake.asked) == len(prompts) + 1  # and the length is remembered
    assert len(get_template("pythia").prompt(ask)) > 4000


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
        await asyncio.sleep(0)
        assert [(each.stage, each.done, each.total) for each in seen] == [("generate", 1, 50)]
        assert [(each.state, each.model) for each in states][-1] == ("idle", MODEL)
        assert "generating" in [each.state for each in states]
        assert (engine.status.engine, engine.status.url) == ("openai", fake.url)
        assert engine.status.last_ms is not None
        assert engine.status.last_ms > 0
