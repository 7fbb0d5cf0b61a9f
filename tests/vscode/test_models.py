"""The picker of models: what it shows, and what choosing does."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from vscode_lean import OR

from llmstep.catalog.recommended import recommended
from llmstep.catalog.registry import find_record
from llmstep.catalog.store import STARTER_DIR
from llmstep.engine.served.launches import this_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vscode_window import OpenFile, Window
    from vscode_workbench import Workbench

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

OTHER = "llmstep-pythia-410m"


@pytest.fixture
def other_model(workbench: Workbench) -> Iterator[str]:
    """A model of the catalog that the Hugging Face cache holds; its files are those of the bundled one."""
    record = find_record(OTHER)
    assert record is not None
    place = workbench.home / "home" / "hf" / "hub" / ("models--" + record.repo_id.replace("/", "--"))
    revision = "0" * 40
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(revision)
    shutil.copytree(STARTER_DIR, place / "snapshots" / revision)
    workbench.configure(llmstep__template="starter")  # what those files were trained with
    yield OTHER
    workbench.configure(llmstep__template=None)
    shutil.rmtree(place)


async def choose(window: Window, name: str) -> None:
    """Choose a model in the picker."""
    await window.command("llmstep: Select Model…")
    await window.picks(until_one_has=name)
    await window.answer(name)


async def model_of_the_answer(window: Window, file: OpenFile) -> str:
    """The model that the hint names, after a run."""
    await file.place("/ sorry", 2)
    await window.suggest()
    await window.press("Escape")
    await file.hint("✓").hover()
    hover = window.page.locator(".monaco-hover:visible").filter(has_text="generated")
    text = await hover.inner_text()
    await window.page.mouse.move(640, 600)
    return text.split("\n\n")[-2].rsplit("(", 1)[1].removesuffix(")")


async def test_the_picker_shows_what_tells_models_apart(window: Window, other_model: str) -> None:
    file = await window.open("Picker.lean", OR)
    await window.status_says("^starter")
    await window.command("llmstep: Select Model…")
    rows = {name: (marks, facts) for name, marks, facts in await window.picks(until_one_has=other_model)}
    await window.picture("06-models")
    # Which model is recommended depends on this machine; `tests/catalog/test_recommended.py` has the rule.
    best = recommended(this_machine()).record.name
    marked = {name for name, (marks, _) in rows.items() if "recommended for this machine" in marks.split(" · ")}
    assert marked == {best} & rows.keys()
    mark = {best: "recommended for this machine · "}
    assert rows["starter"][0] == f"active · {mark.get('starter', '')}on this machine · 4 MB · licence mit"
    assert rows["starter"][1].startswith("runs on any CPU · Comes with llmstep; ")
    assert rows[other_model][0] == "on this machine · 1.6 GB · licence not stated"
    small = mark.get("byt5-small", "")
    assert rows["byt5-small"][0] == f"{small}not downloaded · 1.2 GB · licence mit · miniF2F-test 22.1 %"
    assert rows["byt5-small"][1].startswith("needs 1.6 GB on a GPU or 390 MB on the CPU · ")
    await window.press("Escape")
    await file.close()


async def test_another_model_is_chosen_and_used(window: Window, workbench: Workbench, other_model: str) -> None:
    file = await window.open("Models.lean", OR)
    await window.status_says("^starter")
    await choose(window, other_model)
    assert await window.message("now uses") == f"llmstep now uses {other_model}."
    assert workbench.settings()["llmstep.model"] == other_model
    await window.status_says(f"^{other_model} · cpu idle")
    assert await model_of_the_answer(window, file) == other_model
    await window.clear_messages()

    await choose(window, "starter")
    assert await window.message("now uses") == "llmstep now uses starter."
    assert workbench.settings()["llmstep.model"] == "starter"
    await window.status_says("^starter · cpu idle")
    assert await model_of_the_answer(window, file) == "starter"
    await window.clear_messages()
    await file.close()


async def test_a_download_is_asked_for_and_its_failure_keeps_the_old_model(
    window: Window, workbench: Workbench
) -> None:
    """Downloads are switched off in the tests, so that this one fails."""
    file = await window.open("Download.lean", OR)
    await choose(window, "byt5-small")
    dialog = window.page.locator(".monaco-dialog-box")
    await expect(dialog).to_contain_text("byt5-small is not on this machine. Download it (1.2 GB)?")
    await expect(dialog).to_contain_text("Licence: mit.")
    await window.picture("07-download")
    await dialog.get_by_role("button", name="Download").click()
    said = await window.message("HF_HUB_OFFLINE")
    assert "byt5-small is not on this machine, and downloads are switched off by HF_HUB_OFFLINE." in said
    await expect(window.notification("HF_HUB_OFFLINE").get_by_role("button", name="Select Model…")).to_be_visible()
    assert workbench.settings()["llmstep.model"] == "starter"
    assert await model_of_the_answer(window, file) == "starter"
    await window.clear_messages()

    # One that is declined is not even tried.
    await choose(window, "byt5-small")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_be_hidden()
    assert await window.messages() == []
    await file.close()
