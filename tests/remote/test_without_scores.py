"""A server that tells no log-probabilities: what the faces and the search make of candidates without a score."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import httpx
import pytest

from llmstep.cli.tables import print_suggestions
from llmstep.engine.router import EngineRouter
from llmstep.http.app import create_app
from llmstep.http.server import serve
from llmstep.search.proposals import Proposer
from llmstep.types import Candidate, Check, Goal, Suggestion, Verdict

from .asks import ASK, SIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .conftest import FakeServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def engine_at(fake: FakeServer) -> AsyncIterator[EngineRouter]:
    fake.logprobs = False
    engine = EngineRouter(attrs.evolve(fake.settings(), count=6))
    try:
        yield engine
    finally:
        await engine.close()


async def test_over_http(fake: FakeServer) -> None:
    """The tactic gets nulls, LeanCopilot, which wants numbers, the same one for all."""
    async with engine_at(fake) as engine:
        server = await serve(create_app(engine, engine.settings), "127.0.0.1", 0)
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
            tactic = (await client.post("/", json={"tactic_state": ASK.goal.state})).json()
            copilot = (await client.post("/generate", json={"name": "m", "input": ASK.goal.state})).json()
        await server.stop()
    assert (tactic["suggestions"], tactic["scores"]) == (fake.texts, [None, None, None])
    assert [each["output"] for each in copilot["outputs"]] == fake.texts
    assert [each["score"] for each in copilot["outputs"]] == pytest.approx([1 / 3] * 3)


async def test_in_a_search_they_are_equally_likely(fake: FakeServer) -> None:
    async with engine_at(fake) as engine:
        proposals = await Proposer(engine, SIX).propose(ASK)
    assert [(each.tactic, each.logprob) for each in proposals] == [(text, -math.log(3)) for text in fake.texts]


async def test_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    known = Suggestion(Candidate("simp", -0.5, 2), Check(Verdict.CLOSES))
    print_suggestions(Goal("⊢ p"), [known, Suggestion(Candidate("rfl", None))], "two")
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "simp" in line or "rfl" in line]
    assert lines == [["1", "closes", "the", "goal", "-0.50", "simp"], ["2", "not", "checked", "-", "rfl"]]
