"""The panel as one reads it: differences, what Lean rejected, selections, themes, axe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from panel_runs import CLOSES, SPLITS, back, nothing, said, suggested
from playwright.async_api import expect
from vscode_window import plain, until

if TYPE_CHECKING:
    from vscode_panel import Panel
    from vscode_window import Window
    from vscode_workbench import Workbench

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


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
      window.told = 0;
      addEventListener('message', () => { window.told += 1; });
    }""")
    await file.place(SPLITS, 3)  # the same goal: the panel is asked for, and shows the same
    await until("what the panel is told", lambda: frame.evaluate("window.told"))
    assert plain(str(await frame.evaluate("String(getSelection())"))) == "p q : Prop\nh : p ∨ q\n⊢ q ∨ p"
    await file.place(CLOSES, 2)
    await until("nothing for the other goal", lambda: said(panel, "No suggestions for this place yet."))
    assert await frame.evaluate("window.region === document.querySelector('[role=status]')")
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
