"""Where steps come from: the list, the model with its own probabilities, and half of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from llmstep.engine.engine import Engine
from llmstep.search.attempt import FIXED_TACTICS
from llmstep.search.proposals import Proposal, Proposer, mixed
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstep.progress import Progress
    from llmstep.settings import Settings

AND = PromptInput(Goal("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"))


def given(**probabilities: float) -> list[Proposal]:
    """Tactics with their probabilities."""
    return [Proposal(tactic, math.log(share)) for tactic, share in probabilities.items()]


async def test_the_list_is_the_same_for_every_goal() -> None:
    proposer = Proposer(None, fixed=FIXED_TACTICS)
    proposals = await proposer.propose(AND)
    assert [each.tactic for each in proposals] == list(FIXED_TACTICS)
    assert sum(math.exp(each.logprob) for each in proposals) == pytest.approx(1)
    assert await proposer.propose(PromptInput(Goal("⊢ False"))) == proposals


def test_the_list_names_nothing_of_a_goal_and_proves_nothing_without_proof() -> None:
    assert len(set(FIXED_TACTICS)) == len(FIXED_TACTICS)
    assert not [tactic for tactic in FIXED_TACTICS if "sorry" in tactic or "?" in tactic.replace("?_", "")]


def test_half_of_each() -> None:
    both = mixed(given(rfl=0.5, simp=0.1), given(simp=0.5, left=0.5))
    assert {each.tactic: pytest.approx(math.exp(each.logprob)) for each in both} == {
        "simp": 0.3,
        "rfl": 0.25,
        "left": 0.25,
    }
    assert both[0].tactic == "simp"


def test_a_step_that_is_all_but_impossible_stays_one() -> None:
    [only] = mixed([Proposal("rfl", -2000.0)], [])
    assert only.tactic == "rfl"
    assert only.logprob < -700


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    made = Engine(settings)
    yield made
    await made.close()


@pytest.mark.asyncio(loop_scope="session")
async def test_the_model_gives_sums_of_log_probabilities(engine: Engine) -> None:
    told: list[Progress] = []
    sampling = SamplingParams(count=16, temperature=1.5, max_new_tokens=32, seed=1)  # hot, so that draws differ
    model = Proposer(engine, sampling, progress=told.append)
    assert model.model is None
    proposals = await model.propose(AND)
    assert model.model == "starter"
    assert {each.stage for each in told} == {"load"}
    candidates = (await engine.generate(AND, sampling)).candidates
    assert {each.tactic: each.logprob for each in proposals} == {
        each.text: pytest.approx(each.score * each.tokens) for each in candidates
    }
    sums = [each.logprob for each in proposals]
    assert sums == sorted(sums, reverse=True)
    assert max(sums) < 0
    assert await model.propose(AND) == proposals
    again = await model.propose(AND, again=1)
    assert {each.tactic for each in again} != {each.tactic for each in proposals}
    assert await model.propose(AND, again=1) == again


@pytest.mark.asyncio(loop_scope="session")
async def test_what_may_vary(engine: Engine) -> None:
    hot, greedy = SamplingParams(temperature=0.7), SamplingParams(temperature=0.0)
    for fixed in ((), FIXED_TACTICS):
        assert Proposer(engine, hot, fixed).varied
        assert not Proposer(engine, greedy, fixed).varied
    assert not Proposer(None, hot, FIXED_TACTICS).varied
