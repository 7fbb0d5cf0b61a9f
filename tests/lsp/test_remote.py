"""A real `transformers serve` with the starter model, asked by the engine and by an editor's companion."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import psutil
import pytest
import pytest_asyncio
from client import SECONDS, Editor, editor, suspended
from lsprotocol import types
from ports import free_port
from pygls.exceptions import JsonRpcException
from test_models import push
from test_suggest import AND
from waiting import until

from llmstep.catalog.resolve import STARTER_DIR
from llmstep.engine.remote.openai import OpenAiEngine
from llmstep.settings import RemoteSettings, Settings
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

GOAL = Goal("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q")


@attrs.define
class Served:
    """`transformers serve`, which can be killed and started again at the same port."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def settings(self) -> dict[str, Any]:
        return {"engine": "openai", "template": "starter", "remote": {"url": self.url, "model": str(self.folder)}}

    async def start(self) -> None:
        process = self._spawn()
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:

            async def answers() -> bool:
                assert process.poll() is None, (self.folder.parent / "serve.log").read_text()
                try:
                    await client.get(f"http://127.0.0.1:{self.port}/health")
                except httpx.TransportError:
                    return False
                return True

            await until(answers, SECONDS, pause=0.2)

    def _spawn(self) -> subprocess.Popen[bytes]:
        hub = self.folder.parent / "hub"
        hub.mkdir(exist_ok=True)
        command = [os.path.join(os.path.dirname(sys.executable), "transformers"), "serve", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu"],
            env={**os.environ, "HF_HUB_CACHE": str(hub), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder.parent / "serve.log").open("ab"),
        )
        return self.process

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def clients(self) -> int:
        """Number of connections to it."""
        assert self.process is not None
        found = psutil.Process(self.process.pid).net_connections("tcp")
        return sum(each.status == psutil.CONN_ESTABLISHED for each in found)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The starter model, with a chat template that leaves the prompt as it is."""
    folder = tmp_path_factory.mktemp("served") / "starter"
    shutil.copytree(STARTER_DIR, folder)
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    made = Served(folder, free_port())
    await made.start()
    yield made
    made.kill()


@pytest.mark.parametrize("api", ["completions", "chat"])
async def test_samples_one_by_one_without_scores(served: Served, api: Any) -> None:
    """It ignores the number of samples and has no log-probabilities."""
    remote = RemoteSettings(url=served.url, model=str(served.folder), api=api)
    engine = OpenAiEngine(Settings(engine="openai", template="starter", remote=remote))
    try:
        assert await engine.load() == str(served.folder)
        answer = await engine.generate(PromptInput(GOAL), SamplingParams(5, 1.0, 1.0, 32, 7))
        assert answer.drawn == 5
        assert 1 <= len(answer.candidates) <= 5  # a sure model may draw the same five times
        assert all(each.score is None and each.text == each.text.strip() for each in answer.candidates)
        again = await engine.generate(PromptInput(GOAL, prefix="exact "), SamplingParams(3, 1.0, 1.0, 32, 7))
        assert all(each.text.startswith("exact ") for each in again.candidates)
        greedy = await engine.generate(PromptInput(GOAL), SamplingParams(5, 0.0, 1.0, 32))
        assert (greedy.drawn, len(greedy.candidates)) == (1, 1)
    finally:
        await engine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def remote(served: Served, folder: Path, options: dict[str, Any]) -> AsyncIterator[Editor]:
    """An editor that was started with a model in process, and told afterwards to use the server."""
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(editor(folder, options=options))
        await made.until(lambda: made.statuses)
        assert made.statuses[-1].engine == "inProcess"
        push(made, {"llmstep": {**served.settings, "count": 6}})
        await made.until(lambda: made.statuses[-1].engine == "openai")
        yield made


async def test_suggestions_of_the_server_are_checked_by_lean(served: Served, remote: Editor, folder: Path) -> None:
    page = remote.open(folder / "Remote.lean", AND)
    answer = await page.suggest(page.at("sorry"), count=12)
    assert answer["model"] == str(served.folder)
    assert answer["summary"].startswith("12 generated")
    assert answer["suggestions"][0]["verdict"] == "closes"
    assert {each["score"] for each in answer["suggestions"]} == {None}
    actions = await page.actions(page.at("sorry"))
    assert page.accept(actions[0]) == AND.replace("sorry", answer["suggestions"][0]["text"])
    await remote.until(lambda: remote.statuses[-1].state == "idle")
    status = remote.statuses[-1]
    assert (status.state, status.engine, status.url, status.model) == (
        "idle",
        "openai",
        served.url,
        str(served.folder),
    )
    assert remote.process
    assert not any("torch" in each.path for each in psutil.Process(remote.process.pid).memory_maps())


async def test_cancelling_closes_the_requests(served: Served, remote: Editor, folder: Path) -> None:
    page = remote.open(folder / "Cancelled.lean", AND)
    argument = {"textDocument": {"uri": page.uri}, "position": page.at("sorry"), "prefix": "have ", "count": 64}
    params = types.ExecuteCommandParams("llmstep.suggest", [argument], work_done_token="remote")
    identifier, run = remote.request(types.WORKSPACE_EXECUTE_COMMAND, params)
    await remote.until(lambda: remote.generates("remote"))
    await until(lambda: served.clients() > 0)
    assert served.process is not None
    with suspended(psutil.Process(served.process.pid)):  # of 64 samples most are still to come
        remote.cancel(identifier)
        await asyncio.wait({run})
    await remote.until(lambda: remote.statuses[-1].state == "idle" and served.clients() == 0)
    answer = await page.suggest(page.at("sorry"), prefix="exact ")
    assert answer["summary"].startswith("6 generated")


async def test_a_server_that_is_killed_and_back(served: Served, remote: Editor, folder: Path) -> None:
    page = remote.open(folder / "Killed.lean", AND)
    served.kill()
    with pytest.raises(JsonRpcException) as caught:
        await page.suggest(page.at("sorry"), prefix="refine ")
    assert caught.value.message == f"Nothing answers at {served.url}."
    assert caught.value.data["code"] == "remote"
    await remote.until(lambda: any(message.startswith(caught.value.message) for message in remote.messages))
    await served.start()
    answer = await page.suggest(page.at("sorry"), prefix="refine ")
    assert answer["summary"].startswith("6 generated")


async def test_back_to_the_model_in_process_without_a_restart(remote: Editor, folder: Path) -> None:
    page = remote.open(folder / "Back.lean", AND)
    push(remote, {"llmstep": {"engine": "inProcess", "template": ""}})
    await remote.until(lambda: remote.statuses[-1].engine == "inProcess")
    answer = await page.suggest(page.at("sorry"))
    assert answer["model"] == "starter"
    assert all(each["score"] < 0 for each in answer["suggestions"])
