"""OpenAI-compatible servers that do not do all that they are asked."""

from __future__ import annotations

import asyncio
import json

import attrs
import pytest

from llmstep.catalog.templates import get_template
from llmstep.types import Goal, PromptInput

from .asks import ASK, SIX, scored
from .conftest import FakeServer, engine_for

# --- servers that do not do all that is asked
pytestmark = pytest.mark.asyncio(loop_scope="module")


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


async def test_samples_of_one_number_in_a_whole_answer_are_told_apart_by_their_places(fake: FakeServer) -> None:
    fake.numbers_all_zero, fake.streams = True, False
    async with engine_for(fake.settings()) as engine:
        answer = await engine.generate(ASK, SIX)
    assert (answer.drawn, {each.text for each in answer.candidates}) == (6, {"rfl", "simp [h]", "omega"})
    assert [each.body["n"] for each in fake.asked] == [6]


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
