"""What goes wrong: a wrong setting, a server that is killed; what is said, and that work goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from vscode_lean import OR
from vscode_window import until

if TYPE_CHECKING:
    from vscode_window import Window
    from vscode_workbench import Workbench

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_a_wrong_setting_is_told_with_a_button_that_opens_it(window: Window, workbench: Workbench) -> None:
    file = await window.open("Wrong.lean", OR)
    await window.status_says("^starter")  # the server runs
    workbench.configure(llmstep__count="many")
    try:
        said = await window.message("llmstep.count")
        assert said == "The setting llmstep.count is 'many'. It must be a whole number."
        await window.picture("08-wrong-setting")
        await window.notification("llmstep.count").get_by_role("button", name="Open Settings").click()
        shown = window.page.locator(".settings-editor .setting-item-contents").first  # of all with such names
        await expect(shown).to_contain_text("Number of samples per request.")
        await window.command("View: Close Editor")
        await file.place("/ sorry", 2)
        assert await window.suggest()  # meanwhile the settings before it hold
        await window.press("Escape")
    finally:
        workbench.configure(llmstep__count=None)
    assert await window.messages() == []
    await file.close()


async def test_a_killed_server_is_started_again(window: Window, workbench: Workbench) -> None:
    file = await window.open("Killed.lean", OR)
    await window.status_says("^starter")
    [companion] = workbench.companions()
    companion.kill()
    said = await window.message("stopped unexpectedly")
    assert said == "The llmstep server stopped unexpectedly and was started again."
    await expect(window.notification(said).get_by_role("button", name="Show Log")).to_have_count(1)
    await window.picture("09-restarted")
    await until("another companion", lambda: [c.pid for c in workbench.companions()] not in ([], [companion.pid]))
    await window.clear_messages()
    await file.place("/ sorry", 2)
    assert await window.suggest()
    await window.press("Escape")
    assert len(workbench.companions()) == 1
    await file.close()
