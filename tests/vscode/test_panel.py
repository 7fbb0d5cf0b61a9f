"""The panel: all steps with what they change, live verdicts, mouse and keyboard, what Lean rejected, themes, axe."""

from __future__ import annotations

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

SEVERAL = """-- 𝔸 first
theorem first (p q : Prop) (h : q) : p → q → p := by
  sorry

theorem second (p q : Prop) (hp : p) : p ∨ q := by
  sorry
"""
SLOW = """macro_rules | `(tactic| exact $e) => `(tactic| (sleep 700; refine $e))
macro_rules | `(tactic| intros) => `(tactic| sleep 700)

"""
"""Every check of a step with `exact` takes a while."""


@pytest_asyncio.fixture(loop_scope="session")
async def panel(window: Window, workbench: Workbench) -> AsyncIterator[Panel]:
    """The panel, opened by runs as it is by default."""
    workbench.configure(llmstep__panel__openOnRun=True)
    yield Panel(window)
    workbench.configure(llmstep__panel__openOnRun=None)
    await window.command("View: Hide Panel")


async def suggested(window: Window, panel: Panel, name: str, text: str = SEVERAL) -> OpenFile:
    """A file with a run at its first goal, whose steps are in the panel; the menu is closed again."""
    file = await window.open(name, text)
    await file.place("  sorry", 2)
    await window.suggest()
    await window.press("Escape")
    await until("a step in the panel", panel.steps)
    await expect((await panel.locator(".closes")).first).to_be_visible()
    return file


async def test_a_run_opens_it_and_the_editor_keeps_the_focus(
    window: Window, panel: Panel, workbench: Workbench
) -> None:
    file = await window.open("Opened.lean", SEVERAL)
    await file.place("  sorry", 2)
    workbench.configure(llmstep__panel__openOnRun=False)
    await window.suggest()
    titles = [title for title in await window.menu_titles() if not title.startswith("llmstep: ")]
    await window.press("Escape")
    assert not await panel.shown()
    workbench.configure(llmstep__panel__openOnRun=True)

    async def opened() -> bool:
        await window.suggest()
        await window.press("Escape")
        return await panel.shown()

    await until("the panel", opened)
    await window.type("x")
    await expect(window.page.locator(f'.tab.active.dirty[data-resource-name="{file.path.name}"]')).to_be_visible()
    await window.press("Control+z")

    # The same steps as in the menu, in their order, with what was said about each.
    await window.suggest()
    await window.press("Escape")
    await until("the steps", panel.steps)
    assert await panel.steps() == [plain(re.sub(r" ✓$| → \d goals?$", "", title)) for title in titles]
    assert await panel.texts("h1") == ["Opened.lean, line 3"]
    assert await panel.texts(".goal pre") == ["p q : Prop\nh : q\n⊢ p → q → p"]
    assert re.fullmatch(r"\d+ generated, \d+ distinct: .*", await panel.said())
    assert re.fullmatch(r"starter · \d+\.\d s · \d+ generated, .*", (await panel.texts(".facts"))[0])
    abouts = await panel.texts("ol .about")
    for title, about in zip(titles, abouts, strict=True):
        said = "closes the main goal" if title.endswith("✓") else "leaves 1 goal"
        assert re.fullmatch(re.escape(said) + r" · score -\d+\.\d\d", about)
    assert len(await panel.texts(".closes .mark")) == sum(title.endswith("✓") for title in titles)
    await file.close()


async def test_a_click_inserts_a_step_and_lean_accepts_it(window: Window, panel: Panel, judge: Judge) -> None:
    file = await suggested(window, panel, "Clicked.lean")
    await window.picture("20-panel")
    [step, *_] = await panel.steps()
    await (await panel.locator(".step")).first.click()
    text = await file.saved()
    assert text == SEVERAL.replace("sorry", step, 1)
    assert judge(file.path) == ["declaration uses `sorry`"]
    # the goal has gone, and the steps with it; the editor has the focus, behind what was inserted
    await until("no steps", lambda: _none(panel))
    await window.type(" -- 𝔸")
    assert await file.saved() == text.replace(step, f"{step} -- 𝔸", 1)
    await file.close()


async def _none(panel: Panel) -> bool:
    return await panel.steps() == []


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
    await window.press("Escape")
    await window.type("y")
    assert await file.saved() != SEVERAL
    await window.press("Control+z")
    await file.saved()
    await file.place("  sorry", 2)
    await window.suggest()
    await window.press("Escape", "Alt+m", "Alt+s")
    await until("the focus on the first step", first)
    await window.press("ArrowDown", "Enter")
    await file.saved()
    assert file.text == SEVERAL.replace("sorry", steps[1], 1)
    await file.close()


async def test_what_a_step_leaves_is_folded_as_a_difference(window: Window, panel: Panel) -> None:
    file = await suggested(window, panel, "Folded.lean")
    left = await panel.locator("li.progress")
    await expect(left.first).to_be_visible()
    step = plain(await left.first.locator("code").inner_text())
    await expect(left.first.locator(".changed")).to_be_hidden()
    await left.first.locator("summary").click()
    lines = [plain(text) for text in await left.first.locator(".line").all_inner_texts()]
    assert "p q : Prop" in lines
    assert "− ⊢ p → q → p" in lines
    assert any(line.startswith("+ ⊢ ") for line in lines), (step, lines)
    # it stays unfolded when the list is drawn anew
    await file.place("theorem second", 0)
    await until("no steps elsewhere", lambda: _none(panel))
    assert await panel.said() == "No suggestions for this place yet."
    await file.place("  sorry", 2)
    await until("the steps again", panel.steps)
    await expect(left.first.locator(".changed")).to_be_visible()
    await file.close()


async def test_verdicts_come_in_live(window: Window, panel: Panel) -> None:
    file = await window.open("Live.lean", SLOW + SEVERAL)
    await file.place("  sorry", 2)
    await window.command("llmstep: Show the Suggestions")
    await (await panel.button("Suggest")).click()
    about = await panel.locator("ol .about")
    await expect(about.filter(has_text="is being checked …").first).to_be_visible()
    assert "Checking" in await panel.said()
    await expect(await panel.button("Stop")).to_be_enabled()
    await expect((await panel.locator(".closes")).first).to_be_visible()
    await expect(about.filter(has_text="is being checked …")).to_have_count(0)
    await expect(await panel.button("Stop")).to_be_disabled()
    assert await window.page.locator(MENU).count() == 0  # what the panel began, the panel shows
    await (await panel.button("More")).click()
    await until("more samples", lambda: _said(panel, "64 generated"))
    await file.close()


async def _said(panel: Panel, text: str) -> bool:
    return text in await panel.said()


async def test_what_lean_rejected_and_why_and_that_no_text_is_markup(window: Window, panel: Panel) -> None:
    file = await suggested(window, panel, "Rejected.lean")
    await (await panel.button("Prefix…")).click()
    await window.answer('exact "<img src=x onerror=alert(1)><b>no</b>" ')
    rejected = await panel.locator("details.rejected")
    await expect(rejected.locator("summary")).to_have_text(re.compile(r"rejected \([1-9]\d*\)"))
    await rejected.locator("summary").click()
    texts = await panel.texts(".rejected code")
    assert any("<img src=x onerror=alert(1)><b>no</b>" in text for text in texts)
    assert all(await panel.texts(".rejected .about"))
    assert await (await panel.locator("main img, main b")).count() == 0
    await window.picture("21-rejected")
    await file.close()


async def test_copy(window: Window, panel: Panel) -> None:
    await window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    file = await suggested(window, panel, "Copied.lean")
    [step, *_] = await panel.steps()
    await (await panel.locator(".copy")).first.click()
    await window.press("Escape")
    await file.place("-- 𝔸 first", 10)
    await window.press("Control+v")
    assert await file.saved() == SEVERAL.replace("first", f"first{step}", 1)
    await file.close()


@pytest.mark.parametrize("theme", ["Default Light Modern", "Default Dark Modern", "Default High Contrast"])
async def test_it_follows_the_theme_and_is_accessible(
    window: Window, panel: Panel, workbench: Workbench, theme: str
) -> None:
    workbench.configure(workbench__colorTheme=theme)
    file = await suggested(window, panel, f"Theme{theme.replace(' ', '')}.lean")
    await (await panel.locator("li.progress summary")).first.click()
    for summary in await (await panel.locator(".rejected summary")).all():
        await summary.click()
    kind = "high-contrast" if "Contrast" in theme else "light" if "Light" in theme else "dark"
    body = await panel.locator(f"body.vscode-{kind}")
    await expect(body).to_have_count(1)
    colour = "e => [getComputedStyle(e).color, getComputedStyle(document.querySelector('.step')).color]"
    assert len(set(await body.evaluate(colour))) == 1
    assert await panel.violations() == []
    await window.picture(f"22-panel-{kind}")
    workbench.configure(workbench__colorTheme=None)
    await file.close()


async def test_the_hint_has_links_that_insert_the_other_steps(window: Window, panel: Panel) -> None:
    file = await suggested(window, panel, "Linked.lean")
    steps = await panel.steps()
    hint = file.hint("✓")
    await hint.hover()
    hover = window.page.locator(".monaco-hover:visible").filter(has_text="generated")
    await hover.locator("a").filter(has_text=steps[1]).first.click()
    assert await file.saved() == SEVERAL.replace("sorry", steps[1], 1)
    await file.close()
