"""The panel: its list, live verdicts, mouse and keyboard."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from panel_runs import CLOSES, SPLITS, TWO, back, nothing, said, suggested
from playwright.async_api import expect
from vscode_panel import Panel
from vscode_window import RESULTS, until

if TYPE_CHECKING:
    from vscode_lean import Judge
    from vscode_window import Window
    from vscode_workbench import Workbench

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

WATCH = """() => {
  window.seen = new Set();
  const look = () => {
    for (const each of document.querySelectorAll('ol .about, [role=status]')) window.seen.add(each.innerText);
    if (!document.querySelector('[data-key=stop]').disabled) window.seen.add('can be stopped');
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
}"""
"""Has the page remember what it showed, however briefly."""


async def test_a_run_opens_it_and_the_editor_keeps_the_focus(window: Window, workbench: Workbench) -> None:
    panel = Panel(window)
    file = await window.open("Opened.lean", TWO)
    await file.place(SPLITS, 2)
    await window.suggest(until_one_has="")  # the tests' own settings do not want it
    await window.press("Escape")
    assert not await panel.shown()
    workbench.configure(llmstep__panel__openOnRun=True)

    async def opened() -> bool:
        await window.suggest(until_one_has="")
        await window.press("Escape")
        return await panel.shown()

    await until("the panel", opened)
    await window.type("x")
    await expect(file.tab).to_be_visible()
    await window.press("Control+z")
    await file.close()


async def test_its_list_is_that_of_the_menu_and_follows_the_cursor(window: Window, panel: Panel) -> None:
    file = await window.open("Listed.lean", TWO)
    await file.place(SPLITS, 2)
    await until("steps of the model alone", lambda: said_after_run(window, panel))
    titles = await window.suggest(until_one_has="→")
    await window.press("Escape")
    await until("the steps", panel.steps)
    lines = [re.sub(r"\n.*", " …", step, flags=re.DOTALL) for step in await panel.steps()]  # it shows a step in full
    assert lines == [re.sub(r" → \d goals?$", "", title) for title in titles]
    assert await panel.texts("h1") == ["Listed.lean, line 3"]
    assert await panel.texts(".goal pre") == ["p q : Prop\nh : p ∨ q\n⊢ q ∨ p"]
    assert re.fullmatch(r"starter · \d+\.\d s · \d+ generated, \d+ distinct: .*", await panel.said())
    for about in await panel.texts("ol .about"):
        assert re.fullmatch(r"leaves \d goals? · score -\d+\.\d\d", about)

    # It follows the cursor.
    await file.place(CLOSES, 2)
    await until("nothing for the other goal", lambda: said(panel, "No suggestions for this place yet."))
    assert await panel.steps() == []
    await window.suggest()
    await window.press("Escape")
    await until("the other steps", panel.steps)
    assert await panel.texts("h1") == ["Listed.lean, line 6"]
    assert await panel.texts(".closes .mark") == ["✓"]
    assert (await panel.texts("ol .about"))[0].startswith("closes the main goal · score -")
    await file.place(SPLITS, 2)
    await until("the first steps", lambda: said(panel, "leave goals"))
    await file.close()


async def said_after_run(window: Window, panel: Panel) -> bool:
    """Whether a run has no tactics of Lean's own, since that setting has reached the server."""
    await window.suggest(until_one_has="→")
    await window.press("Escape")
    return "generated" in await panel.said() and "Lean's own" not in await panel.said()


async def test_a_click_inserts_a_step_and_lean_accepts_it(window: Window, panel: Panel, judge: Judge) -> None:
    file = await suggested(window, panel, "Clicked.lean", CLOSES)
    await window.picture("20-panel")
    [step, *_] = await panel.steps()
    await (await panel.locator(".step")).first.click()
    text = await file.saved()
    assert text == TWO.replace("; sorry", f"; {step}")
    assert judge(file.path) == ["declaration uses `sorry`"]
    # the goal has gone, and the steps with it; the editor has the focus, behind what was inserted
    await until("no steps", lambda: nothing(panel))
    await window.type(" -- 𝔸")
    assert await file.saved() == text.replace(step, f"{step} -- 𝔸", 1)
    await file.close()


async def several(panel: Panel) -> list[str] | None:
    """The steps, once there are more than one: seldom are all that are drawn the same."""
    steps = await panel.steps()
    if len(steps) > 1:
        return steps
    if await (more := await panel.button("More")).is_enabled():
        await more.click()
    return None


async def focus_is_on(panel: Panel, step: str) -> None:
    async def there() -> bool:
        return step.splitlines()[0] in await panel.focused()

    await until(f"the focus on {step}", there)


async def test_the_keyboard_is_enough(window: Window, panel: Panel) -> None:
    file = await suggested(window, panel, "Keyboard.lean")
    steps = await until("several steps", lambda: several(panel))
    await window.press("Alt+m", "Alt+s")
    await focus_is_on(panel, steps[0])
    await window.press("ArrowDown")
    await focus_is_on(panel, steps[1])
    await window.press("ArrowUp", "ArrowUp")
    await focus_is_on(panel, steps[0])
    await window.press("End")
    await focus_is_on(panel, steps[-1])
    await back(window, file)
    await window.type("y")
    await expect(file.tab).to_be_visible()
    await window.press("Control+z")
    await file.place(SPLITS, 2)
    await window.suggest(until_one_has="→")
    await window.press("Escape")
    steps = await until("several steps", lambda: several(panel))
    await window.press("Alt+m", "Alt+s")
    await focus_is_on(panel, steps[0])
    await window.press("ArrowDown", "Enter")
    assert await file.saved() == TWO.replace("sorry", steps[1], 1)
    await file.close()


async def test_verdicts_come_in_live(window: Window, panel: Panel, workbench: Workbench) -> None:
    file = await suggested(window, panel, "Live.lean", CLOSES)
    workbench.configure(llmstep__temperature=3.0)  # many different steps, so that their checks take a while
    frame = await panel.frame()
    await frame.evaluate(WATCH)

    async def seen() -> set[str]:
        if await (await panel.button("Stop")).is_disabled():
            await (await panel.button("More")).click()
            await asyncio.sleep(1)
        texts: list[str] = await frame.evaluate("[...window.seen]")
        return {wanted for wanted in wants if any(wanted in text for text in texts)}

    wants = {"is being checked …", "Checking", "can be stopped", "generated"}

    async def all_seen() -> bool:
        return await seen() == wants

    try:
        await until("verdicts that come in", all_seen)
    finally:
        workbench.configure(llmstep__temperature=None)
    await expect(await panel.button("Stop")).to_be_disabled()
    await expect((await panel.locator("ol .about")).filter(has_text="is being checked …")).to_have_count(0)
    assert await window.page.locator(RESULTS).count() == 0  # what the panel began, the panel shows
    await back(window, file)
    await file.close()


async def test_copy(window: Window, panel: Panel) -> None:
    await window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    file = await suggested(window, panel, "Copied.lean", CLOSES)
    [step, *_] = await panel.steps()
    await (await panel.locator(".copy")).first.click()
    await back(window, file)
    await file.place("-- 𝔸 first", 10)
    await window.press("Control+v")
    assert await file.saved() == TWO.replace("first", f"first{step}", 1)
    await file.close()


async def test_the_hint_has_links_that_insert_the_other_steps(window: Window, panel: Panel) -> None:
    file = await suggested(window, panel, "Linked.lean")
    steps = await until("several steps", lambda: several(panel))
    await file.hint(steps[0]).hover()
    hover = window.page.locator(".monaco-hover:visible").filter(has_text="generated")
    await hover.locator("a").filter(has_text=steps[1]).first.click()
    assert await file.saved() == TWO.replace("sorry", steps[1], 1)
    await file.close()
