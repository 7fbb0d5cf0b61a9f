"""`llmstep.downloadModel` and a switch to a model that is not here yet, from a hub of our own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from client import Editor, editor
from fake_hub import Hub
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.catalog.store import STARTER_DIR

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.asyncio(loop_scope="session")

REPO = "tests/starter"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """As much of the hub as a download needs, with the starter in it."""
    made = Hub()
    made.repos[REPO] = {file.name: file.read_bytes() for file in STARTER_DIR.iterdir() if file.is_file()}
    yield made
    made.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(hub: Any, folder: Path, options: dict[str, Any], tmp_path: Path) -> AsyncIterator[Editor]:
    """An editor with a server whose cache is empty."""
    hub.stalls_after = hub.dies_after = None
    hub.go_on.clear()
    hub.stalled.clear()
    outside = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    async with editor(
        folder, options={**options, "template": "starter"}, environment={**os.environ, **outside}
    ) as made:
        yield made


async def test_a_model_comes_with_progress_and_is_not_used_yet(fresh: Editor) -> None:
    answer = await fresh.execute("llmstep.downloadModel", {"model": REPO}, token="get")
    assert (Path(answer["folder"]) / "model.safetensors").read_bytes() == (
        STARTER_DIR / "model.safetensors"
    ).read_bytes()
    steps = fresh.progress["get"]
    assert (steps[0]["kind"], steps[0]["title"]) == ("begin", f"llmstep: {REPO}")
    assert steps[-1] == {"kind": "end", "message": f"{REPO} is on this machine"}
    percentages = [step["percentage"] for step in steps[:-1]]
    assert percentages == sorted(percentages)
    assert percentages[-1] == 100
    assert (await fresh.execute("llmstep.status"))["selected"] == "starter"


async def test_a_cancelled_download_ends(fresh: Editor, hub: Any) -> None:
    hub.stalls_after = 10_000
    params = types.ExecuteCommandParams("llmstep.downloadModel", [{"model": REPO}], work_done_token="get")
    identifier, running = fresh.request(types.WORKSPACE_EXECUTE_COMMAND, params)
    await fresh.until(hub.stalled.is_set)
    fresh.cancel(identifier)
    with pytest.raises(JsonRpcException):
        await running
    await fresh.until(lambda: fresh.progress["get"][-1] == {"kind": "end", "message": "Stopped"})
    hub.go_on.set()
    assert fresh.messages == []


async def test_a_failed_download_keeps_the_old_model(fresh: Editor, hub: Any) -> None:
    hub.dies_after = 10_000
    with pytest.raises(JsonRpcException, match="failed"):
        await fresh.execute("llmstep.selectModel", {"model": REPO, "load": True})
    hub.dies_after = None
    [sentence] = fresh.messages
    assert sentence.startswith(f"The download of {REPO} failed")
    status = await fresh.execute("llmstep.status")
    assert status["selected"] == "starter"
    hub.stop()
    hub.start()


async def test_a_switch_downloads_first(fresh: Editor) -> None:
    status = await fresh.execute("llmstep.selectModel", {"model": REPO, "load": True}, token="switch")
    assert status["selected"] == REPO
    assert status["state"] == "idle"
    assert "Downloading" in "".join(step.get("message", "") for step in fresh.progress["switch"])


async def test_without_a_model_it_is_refused(fresh: Editor) -> None:
    with pytest.raises(JsonRpcException, match=r"The argument model of llmstep\.downloadModel is missing\."):
        await fresh.execute("llmstep.downloadModel", {})
