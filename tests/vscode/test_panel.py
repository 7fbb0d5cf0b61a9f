"""The panel: all steps with what they change, live verdicts, mouse and keyboard, what Lean rejected, themes, axe."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import expect
from vscode_panel import Panel
from vscode_window import MENU, plain, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vscode_lean import Judge
    from vscode_window import OpenFile, Window
    from vscode_workbench import Workbench

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

TWO = """-- 𝔸 first
theorem splits (p q : Prop) (h : p ∨ q) : q ∨ p := by
  sorry

theorem closes (p q : Prop) (hp : p) : p ∨ q := by
  skip; sorry
"""
"""The model splits the first goal in several ways, and closes the second; both have steps that Lean rejects."""
SPLITS, CLOSES = "  sorry", "; sorry"

WATCH = """() => {
  window.seen = new Set();
  const look = () => {
    for (const each of document.querySelectorAll('ol .about, [role=status]')) window.seen.add(each.innerText);
    if (!document.querySelector('[data-key=stop]').disabled) window.seen.add('can be stopped');
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
}"""
"""Has the page remember what it showed, however briefly."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def panel(window: Window, workbench: Workbench) -> AsyncIterator[Panel]:
    """The panel, which stays open; runs would open it as well."""
    workbench.configure(llmstep__panel__openOnRun=True, llmstep__automation="off")
    made = Panel(window)
    await window.command("llmstep: Show the Suggestions")
    await made.frame()
    yield made
    workbench.configure(llmstep__panel__openOnRun=None, llmstep__automation=None)
    if await made.shown():
        await window.command("View: Hide Panel")


async def suggested(window: Window, panel: Panel, name: str, at: str = SPLITS) -> OpenFile:
    """A file with a run at one of its goals, whose steps are in the panel; the menu is closed again."""
    file = await window.open(name, TWO)
    await file.place(at, 2)
    await window.suggest(until_one_has="✓" if at == CLOSES else "→")
    await window.press("Escape")
    await expect((await panel.locator("li.closes, li.progress")).first).to_be_visible()
    return file


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
    assert await panel.steps() == [re.sub(r" → 2 goals$", "", title) for title in titles]
    assert await panel.texts("h1") == ["Listed.lean, line 3"]
    assert await panel.texts(".goal pre") == ["p q : Prop\nh : p ∨ q\n⊢ q ∨ p"]
    assert re.fullmatch(r"starter · \d+\.\d s · \d+ generated, \d+ distinct: .*", await panel.said())
    for about in await panel.texts("ol .about"):
        assert re.fullmatch(r"leaves 2 goals · score -\d+\.\d\d", about)

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


async def said(panel: Panel, text: str) -> bool:
    return text in await panel.said()


async def back(window: Window, file: OpenFile) -> None:
    """From the panel to the editor, with the key."""
    await window.press("Escape")
    await expect(file.editor).to_have_class(re.compile(r"\bfocused\b"))


async def nothing(panel: Panel) -> bool:
    return await panel.steps() == []


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


async def test_the_keyboard_is_enough(window: Window, panel: Panel) -> None:
    file = await suggested(window, panel, "Keyboard.lean")
    steps = await panel.steps()
    assert len(steps) > 1
    await window.press("Alt+m", "Alt+s")

    async def first() -> bool:
        return steps[0] in await panel.focused()

    await until("the focus on the first step", first)
    await window.press("ArrowDown")
    assert steps[1] in await panel.focused()
    await window.press("ArrowUp", "ArrowUp")
    assert steps[0] in await panel.focused()
    await window.press("End")
    assert steps[-1] in await panel.focused()
    await back(window, file)
    await window.type("y")
    await expect(file.tab).to_be_visible()
    await window.press("Control+z")
    await file.place(SPLITS, 2)
    await window.suggest(until_one_has="→")
    await window.press("Escape", "Alt+m", "Alt+s")
    await until("the focus on the first step", first)
    await window.press("ArrowDown", "Enter")
    assert await file.saved() == TWO.replace("sorry", steps[1], 1)
    await file.close()


async def test_what_a_step_leaves_is_folded_as_a_difference(window: Window, panel: Panel) -> None:
    file = await suggested(window, panel, "Folded.lean")
    left = await panel.locator("li.progress")
    await expect(left.first).to_be_visible()
    step = plain(await left.first.locator("code").inner_text())
    await expect(left.first.locator(".changed").first).to_be_hidden()
    await left.first.locator("summary").click()
    lines = [plain(text) for text in await left.first.locator(".line").all_inner_texts()]
    assert lines.count("p q : Prop") == 2, step  # once in each goal
    assert "− h : p ∨ q" in lines
    assert "⊢ q ∨ p" in lines
    assert any(line.startswith("+ ") for line in lines)
    await window.picture("21-panel-unfolded")
    await back(window, file)
    # it stays unfolded when the list is drawn anew
    await file.place("theorem closes")
    await until("no steps elsewhere", lambda: nothing(panel))
    await file.place(SPLITS, 2)
    await until("the steps again", panel.steps)
    await expect(left.first.locator(".changed").first).to_be_visible()
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
    assert await window.page.locator(MENU).count() == 0  # what the panel began, the panel shows
    await back(window, file)
    await file.close()


async def test_what_lean_rejected_and_why_and_that_no_text_is_markup(window: Window, panel: Panel) -> None:
    file = await suggested(window, panel, "Rejected.lean")
    await (await panel.button("Prefix…")).click()
    await window.answer('exact "<img src=x onerror=alert(1)><b>no</b>" ')
    asked = "<img src=x onerror=alert(1)><b>no</b>"

    async def of_this_run() -> bool:  # the first run has rejected steps of its own
        return any(asked in text for text in await (await panel.locator(".rejected code")).all_text_contents())

    await until("what was rejected of the steps asked for", of_this_run)
    await expect(await panel.button("Stop")).to_be_disabled()  # a click on what is drawn anew is lost
    rejected = await panel.locator("details.rejected")
    summary = rejected.locator(":scope > summary")
    await expect(summary).to_have_text(re.compile(r"rejected \([1-9]\d*\)"))
    await summary.click()

    async def is_shown() -> bool:  # the panel is drawn anew while the run's last verdicts come in
        return any(asked in text for text in await panel.texts(".rejected code"))

    await until("the list of what was rejected is open", is_shown)
    assert all(await panel.texts(".rejected .about"))
    assert await (await panel.locator("main img, main b")).count() == 0
    await window.picture("22-rejected")
    await back(window, file)
    await file.close()


async def test_a_selected_text_stays_and_a_screen_reader_hears_of_changes(window: Window, panel: Panel) -> None:
    file = await suggested(window, panel, "Selected.lean")
    await expect(await panel.button("Stop")).to_be_disabled()
    frame = await panel.frame()
    await frame.evaluate("""() => {
      window.region = document.querySelector('[role=status]');
      getSelection().selectAllChildren(document.querySelector('.goal pre'));
    }""")
    await file.place(SPLITS, 3)  # the same goal: the panel is asked for, and shows the same
    await asyncio.sleep(0.5)
    assert plain(str(await frame.evaluate("String(getSelection())"))) == "p q : Prop\nh : p ∨ q\n⊢ q ∨ p"
    await file.place(CLOSES, 2)
    await until("nothing for the other goal", lambda: said(panel, "No suggestions for this place yet."))
    assert await frame.evaluate("window.region === document.querySelector('[role=status]')")
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


@pytest.mark.parametrize("theme", ["Default Light Modern", "Default Dark Modern", "Default High Contrast"])
async def test_it_follows_the_theme_and_is_accessible(
    window: Window, panel: Panel, workbench: Workbench, theme: str
) -> None:
    workbench.configure(workbench__colorTheme=theme)
    file = await suggested(window, panel, f"Theme{theme.replace(' ', '')}.lean")
    kind = "high-contrast" if "Contrast" in theme else "light" if "Light" in theme else "dark"
    body = await panel.locator(f"body.vscode-{kind}")
    await expect(body).to_have_count(1)
    await expect(await panel.button("Stop")).to_be_disabled()  # nothing is drawn anew from here on
    await body.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true })")
    await expect((await panel.locator("li.progress .changed")).first).to_be_visible()

    async def same_colour() -> bool:
        colours = "e => [getComputedStyle(e).color, getComputedStyle(document.querySelector('.step')).color]"
        return len(set(await body.evaluate(colours))) == 1

    await until("the colours of the theme", same_colour)
    assert await panel.violations() == []
    await window.picture(f"23-panel-{kind}")
    await back(window, file)
    workbench.configure(workbench__colorTheme=None)
    await file.close()


async def test_the_hint_has_links_that_insert_the_other_steps(window: Window, panel: Panel) -> None:
    file = await suggested(window, panel, "Linked.lean")
    steps = await panel.steps()
    await file.hint(steps[0]).hover()
    hover = window.page.locator(".monaco-hover:visible").filter(has_text="generated")
    await hover.locator("a").filter(has_text=steps[1]).first.click()
    assert await file.saved() == TWO.replace("sorry", steps[1], 1)
    await file.close()
