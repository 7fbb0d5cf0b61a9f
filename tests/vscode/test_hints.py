"""The inlay hint: where it stands, how it is accepted, when it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from vscode_lean import OR, WEAKEN
from vscode_window import plain

if TYPE_CHECKING:
    from playwright.async_api import Locator
    from vscode_lean import Judge
    from vscode_window import OpenFile, Window

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def hinted(window: Window, name: str, text: str = OR) -> tuple[OpenFile, Locator, str]:
    """A file with one hint at its `sorry`, the hint, and its step."""
    file = await window.open(name, text)
    await file.place(" sorry", 1)
    step = (await window.suggest())[0].removesuffix("✓").strip()
    await window.press("Escape")
    hint = file.hint("✓")
    await expect(hint).to_have_count(1)
    assert plain(await hint.inner_text()) == f"{step} ✓"
    return file, hint, step


async def test_it_stands_behind_its_goal_and_a_key_accepts_it(window: Window, judge: Judge) -> None:
    file, hint, step = await hinted(window, "Key.lean")
    assert await file.line("sorry") == f"/- 𝔸𝔸 -/ sorry{step} ✓"
    await window.press("Alt+m", "Alt+a")
    assert await file.saved() == OR.replace("sorry", step)
    await expect(hint).to_have_count(0)
    assert judge(file.path) == []
    await file.close()


async def test_it_tells_of_its_step_and_a_double_click_accepts_it(window: Window, judge: Judge) -> None:
    file, hint, step = await hinted(window, "DoubleClick.lean", WEAKEN)
    await hint.hover()
    hover = window.page.locator(".monaco-hover:visible").filter(has_text="generated")
    told = plain(await hover.inner_text())
    assert told.startswith(f"{step}\n\ncloses the goal\n\n")
    assert told.endswith("(starter)\n\nDouble-click to insert")
    await window.picture("05-hint")
    await hint.dblclick()
    assert await file.saved() == WEAKEN.replace("sorry", step)
    await expect(hint).to_have_count(0)
    assert judge(file.path) == []
    await file.close()


async def test_it_goes_when_the_statement_is_edited(window: Window) -> None:
    file, hint, _ = await hinted(window, "Edited.lean")
    await file.place("(hp : p)", 1)
    await window.type("x")
    await expect(hint).to_have_count(0)
    assert await file.saved() == OR.replace("(hp", "(xhp")
    await file.close()


async def test_it_can_be_turned_off_and_on(window: Window) -> None:
    file, hint, step = await hinted(window, "Off.lean")
    window.workbench.configure(llmstep__inlayHints__enabled=False)
    await expect(hint).to_have_count(0)
    window.workbench.configure(llmstep__inlayHints__enabled=None)
    await expect(hint).to_have_count(1)
    assert plain(await hint.inner_text()) == f"{step} ✓"
    await file.close()
