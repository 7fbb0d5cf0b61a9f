"""Settings and models over the wire: what a wrong one does, another model without a restart, what runs."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from client import Editor, Page, editor
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from test_suggest import AND, OR

from llmstep.catalog.resolve import STARTER_DIR

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]


def push(shared: Editor, settings: Any) -> None:
    shared.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))


async def test_a_wrong_setting_is_told_and_the_old_ones_stay(opened: Callable[..., Page], shared: Editor) -> None:
    shared.messages.clear()
    push(shared, {"llmstep": {"count": 5}})
    push(shared, {"llmstep": {"count": "five"}})
    sentence = "The setting llmstep.count is 'five'. It must be a whole number."
    await shared.until(lambda: sentence in shared.messages)
    assert shared.messages == [sentence]
    page = opened(AND)
    assert (await page.suggest(page.at("sorry")))["summary"].startswith("5 generated")
    push(shared, {"llmstep": {"count": 32}})


async def test_settings_are_asked_for_where_the_client_has_them(folder: Path, options: dict[str, Any]) -> None:
    """The pull at the start, a change that the client announces, and a wrong value in either."""
    capabilities = {"workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}}
    registered: list[Any] = []
    made = Editor(configuration={"inlayHints": {"enabled": "perhaps"}})

    async def register(params: types.RegistrationParams) -> None:
        registered.extend(params.registrations)

    made.answer(types.CLIENT_REGISTER_CAPABILITY, register)
    async with editor(folder, made=made, options=options, capabilities=capabilities):
        wrong = "The setting llmstep.inlayHints.enabled is 'perhaps'. It must be true or false."
        await made.until(lambda: wrong in made.messages)
        await made.until(lambda: registered)
        assert registered[0].method == "workspace/didChangeConfiguration"
        made.configuration = {"model": "no/such-model"}
        push(made, None)
        await made.until(lambda: any(status.model == "no/such-model" for status in made.statuses))


async def test_another_model_is_used_without_a_restart(
    opened: Callable[..., Page], shared: Editor, tmp_path: Path
) -> None:
    page = opened(OR)
    await page.suggest(page.at("sorry"))
    assert await page.steps(page.at("sorry"))
    twin = shutil.copytree(STARTER_DIR, tmp_path / "twin")
    status = await shared.execute("llmstep.selectModel", {"model": str(twin), "load": True}, token="load")
    assert (status["model"], status["selected"]) == (str(twin), str(twin))
    assert shared.progress["load"][0]["kind"] == "begin"
    assert shared.progress["load"][-1]["kind"] == "end"
    assert await page.steps(page.at("sorry")) == []  # the other model's suggestions are gone
    assert (await page.suggest(page.at("sorry"), count=2))["model"] == str(twin)
    await shared.execute("llmstep.selectModel", {"model": "starter"})
    assert (await page.suggest(page.at("sorry"), count=2))["model"] == "starter"
    assert shared.statuses[-1].selected == "starter"


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({}, "The argument model of llmstep.selectModel is missing."),
        ({"model": "no-such-model"}, "no-such-model"),
        ({"model": 3}, "The argument model of llmstep.selectModel is 3."),
    ],
)
async def test_a_model_that_cannot_be_had_leaves_the_old_one(
    opened: Callable[..., Page], shared: Editor, argument: Any, sentence: str
) -> None:
    with pytest.raises(JsonRpcException, match=sentence):
        await shared.execute("llmstep.selectModel", {**argument, "load": True})
    page = opened(AND)
    assert (await page.suggest(page.at("sorry"), count=2))["model"] == "starter"


async def test_a_broken_model_leaves_the_old_one(opened: Callable[..., Page], shared: Editor, tmp_path: Path) -> None:
    broken = shutil.copytree(STARTER_DIR, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(JsonRpcException):
        await shared.execute("llmstep.selectModel", {"model": str(broken), "load": True})
    page = opened(AND)
    assert (await page.suggest(page.at("sorry"), count=2))["model"] == "starter"


async def test_models_lists_the_catalog(shared: Editor) -> None:
    models = {model["name"]: model for model in await shared.execute("llmstep.models")}
    assert models["starter"]["cached"]
    assert models["starter"]["active"]
    assert models["starter"]["bundled"]
    assert len(models) > 5
    for model in models.values():
        assert model["sizeBytes"] is None or model["sizeBytes"] > 0
        assert model["bundled"] or 0 < model["cpuBytes"] < model["gpuBytes"] * 2
        if model["name"] == "llmstep-pythia-2.8b":  # in eight bits, which a CPU takes by itself
            assert model["cpuBytes"] == 3_640_000_000
        assert (model["name"] == "starter") is model["active"]


async def test_status_says_what_runs(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(AND.replace("theorem t", "theorem status"))
    await page.suggest(page.at("sorry"), count=2, prefix="exact")
    status = await shared.execute("llmstep.status")
    assert (status["state"], status["model"], status["device"]) == ("idle", "starter", "cpu")
    assert status["selected"] == "starter"
    assert status["lastMs"] > 0
    assert status["http"] is None
    [server] = status["lean"]
    assert any(process["rssBytes"] > 0 for process in server["processes"])
    states = {each.state for each in shared.statuses}
    assert {"goal", "generating", "checking", "idle"} <= states


async def test_every_change_of_the_status_reaches_the_client_in_order(folder: Path, options: dict[str, Any]) -> None:
    """However short the work of the model was: its thread is ahead of what it has told."""
    quick = {**options, "automation": "off", "check": {"enabled": False}}
    async with editor(folder, options=quick) as made:
        page = made.open(folder / "Statuses.lean", AND)
        await page.suggest(page.at("sorry"), count=1)
        before = len(made.statuses)
        for number in range(6):
            await page.suggest(page.at("sorry"), count=1, prefix=f"exact h{number}")
        await made.until(lambda: made.statuses[-1].state == "idle" and not made.statuses[-1].message)
        seen = [status.state for status in made.statuses[before:]]
        changes = [state for at, state in enumerate(seen) if at == 0 or seen[at - 1] != state]
        assert [state for state in changes if state != "goal"].count("generating") == 6
        assert all(changes[at + 1] == "idle" for at, state in enumerate(changes) if state == "generating")
        assert all(one != other for one, other in itertools.pairwise(made.statuses)), "nothing is said twice"


async def test_restarting_lean(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(AND)
    await page.suggest(page.at("sorry"), count=2)
    await shared.execute("llmstep.restartLean")
    assert (await shared.execute("llmstep.status"))["lean"] == []
    answer = await page.suggest(page.at("sorry"), prefix="exact ", count=8)
    assert answer["suggestions"][0]["verdict"] in {"closes", "progress"}


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A copy of the starter that `llmstep models add` has called `mine`, with a stop, and the user's environment."""
    copy = tmp_path / "own"
    shutil.copytree(STARTER_DIR, copy)
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "llmstep", "models", "add", "mine", str(copy), "--template", "pythia"]
    subprocess.run([*command, "--stop", "p"], env=environment, check=True, capture_output=True)
    return copy, environment


async def test_a_model_of_the_users_own_is_listed_and_used_by_its_name(
    folder: Path, options: dict[str, Any], own: tuple[Path, dict[str, str]]
) -> None:
    copy, environment = own
    async with editor(folder, options={**options, "model": "mine"}, environment=environment) as made:
        listed = {each["name"]: each for each in await made.execute("llmstep.models")}
        assert (listed["mine"]["active"], listed["mine"]["cached"], listed["mine"]["template"]) == (
            True,
            True,
            "pythia",
        )
        assert listed["mine"]["repoId"] == str(copy)
        page = made.open(folder / "Own.lean", AND)
        found = await page.suggest(page.at("sorry"))
        assert found["model"] == "mine"
        texts = [each["text"] for each in found["suggestions"]]
        assert all("p" not in text for text in texts)
