"""A real llama.cpp, and a real vLLM where LLMSTEP_TEST_VLLM names its program, started by the editor's companion."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_asyncio
from client import Editor, editor, suspended
from gguf_models import starter_gguf
from lsprotocol import types
from processes import until_gone, words
from test_models import push
from test_suggest import AND

from llmstep.engine.engine import Engine
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

VLLM = os.environ.get("LLMSTEP_TEST_VLLM", "")
KINDS = ["llama.cpp", pytest.param("vllm", marks=pytest.mark.skipif(not VLLM, reason="no LLMSTEP_TEST_VLLM"))]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def served(
    request: pytest.FixtureRequest, folder: Path, options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Editor]:
    """An editor that was started with the starter in process, and told afterwards to use a server."""
    model = "starter"
    if request.param == "llama.cpp":
        model = str(starter_gguf(tmp_path_factory.mktemp("served") / "starter.gguf"))
    remote = {"command": [VLLM, "serve"]} if request.param == "vllm" else {}
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(editor(folder, options=options))
        await made.until(lambda: made.statuses)
        push(made, {"llmstep": {"engine": request.param, "model": model, "template": "starter", "remote": remote}})
        await made.until(lambda: made.statuses[-1].engine == request.param)
        yield made
        below = servers(made)
        assert below
    await until_gone(below)  # they end with us


def servers(made: Editor) -> list[psutil.Process]:
    """The processes of the model's server: the guard, and those below it."""
    assert made.process is not None
    below = psutil.Process(made.process.pid).children()
    guards = [each for each in below if any("served.guard" in word for word in words(each))]
    return [process for each in guards for process in (each, *each.children(recursive=True))]


async def score_in_process(goal: str, step: str) -> float | None:
    """The score of a step that the starter says often."""
    engine = Engine(Settings(model="starter", device="cpu"))
    try:
        answer = await engine.generate(PromptInput(Goal(goal)), SamplingParams(count=64, temperature=0.7, seed=1))
    finally:
        await engine.close()
    return {each.text: each.score for each in answer.candidates}[step]


async def test_its_suggestions_have_scores_and_are_checked_by_lean(served: Editor, folder: Path) -> None:
    page = served.open(folder / "Served.lean", AND)
    answer = await page.suggest(page.at("sorry"), count=12)
    assert answer["summary"].startswith("12 generated")
    best = answer["suggestions"][0]
    assert best["verdict"] == "closes"
    assert best["score"] == pytest.approx(await score_in_process(answer["goal"], best["text"]), abs=0.02)
    actions = await page.actions(page.at("sorry"))
    assert page.accept(actions[0]) == AND.replace("sorry", best["text"])
    await served.until(lambda: served.statuses[-1].state == "idle")
    status = served.statuses[-1]
    assert (status.state, status.url.startswith("http://127.0.0.1:")) == ("idle", True)
    prefixed = await page.suggest(page.at("sorry"), prefix="exact ")
    assert all(each["text"].startswith("exact ") for each in prefixed["suggestions"])


async def test_cancelling_stops_the_generation(served: Editor, folder: Path) -> None:
    page = served.open(folder / "ServedCancelled.lean", AND)
    argument = {"textDocument": {"uri": page.uri}, "position": page.at("sorry"), "prefix": "have ", "count": 256}
    params = types.ExecuteCommandParams("llmstep.suggest", [argument], work_done_token="served")
    identifier, run = served.request(types.WORKSPACE_EXECUTE_COMMAND, params)
    await served.until(lambda: served.generates("served"))
    with suspended(*servers(served)):  # of 256 samples most are still to come
        served.cancel(identifier)
        await asyncio.wait({run})
    await served.until(lambda: served.statuses[-1].state == "idle")
    answer = await page.suggest(page.at("sorry"), prefix="exact h", count=4)
    assert answer["summary"].startswith("4 generated")


async def test_killed_and_back(served: Editor, folder: Path) -> None:
    page = served.open(folder / "ServedKilled.lean", AND)
    before = servers(served)
    for each in before[1:]:
        each.kill()
    answer = await page.suggest(page.at("sorry"), prefix="refine ", count=8)
    assert answer["summary"].startswith("8 generated")
    after = servers(served)
    assert {each.pid for each in before}.isdisjoint(each.pid for each in after)
